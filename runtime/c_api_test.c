/* The header is C. */
#include "runtime/c_api.h"

#include <stdio.h>
#include <string.h>

int main(void) {
  char error[64];
  mgec_network* network = mgec_load_bytes("nonsense", 8, 1, error, sizeof(error));
  if (network != NULL || strstr(error, "invalid model format") == NULL) {
    printf("expected an error about the format, got: %s\n", error);
    return 1;
  }
  return 0;
}
