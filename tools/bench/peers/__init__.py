"""Times inference engines against this project on the same networks, weights and inputs: see __main__.py."""
