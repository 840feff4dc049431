/* Runs a compiled model on bytes from a file, with MegEngine Lite's C interface.
 *
 *   run_model MODEL.mgec INPUT.bin      the bytes of the first input, in its layout
 *
 * Prints the shape and the first values of every float32 output. */
#include <stdio.h>
#include <stdlib.h>

#include "lite-c/global_c.h"
#include "lite-c/network_c.h"

/* Ends the program with the library's message if a call fails. */
static void check(int result) {
  if (result != 0) {
    fprintf(stderr, "%s\n", LITE_get_last_error());
    exit(1);
  }
}

static void read_input(LiteTensor tensor, const char* path) {
  void* memory;
  size_t size;
  check(LITE_get_tensor_memory(tensor, &memory));
  check(LITE_get_tensor_total_size_in_byte(tensor, &size));
  FILE* file = fopen(path, "rb");
  if (file == NULL || fread(memory, 1, size, file) != size) {
    fprintf(stderr, "cannot read %zu bytes from %s\n", size, path);
    exit(1);
  }
  fclose(file);
}

static void print_output(LiteNetwork network, size_t index) {
  const char* name;
  LiteTensor tensor;
  LiteLayout layout;
  void* memory;
  size_t size;
  check(LITE_get_output_name(network, index, &name));
  check(LITE_get_io_tensor(network, name, LITE_OUTPUT, &tensor));
  check(LITE_get_tensor_layout(tensor, &layout));
  check(LITE_get_tensor_memory(tensor, &memory));
  check(LITE_get_tensor_total_size_in_byte(tensor, &size));
  printf("%s [", name);
  for (size_t i = 0; i < layout.ndim; ++i) printf(i == 0 ? "%zu" : ", %zu", layout.shapes[i]);
  printf("]");
  if (layout.data_type == LITE_FLOAT) {
    for (size_t i = 0; i < size / sizeof(float) && i < 6; ++i) printf(" %g", ((const float*)memory)[i]);
  }
  printf("\n");
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: run_model MODEL.mgec INPUT.bin\n");
    return 2;
  }
  LiteNetwork network;
  const char* name;
  LiteTensor input;
  size_t outputs;
  check(LITE_make_default_network(&network));
  check(LITE_load_model_from_path(network, argv[1]));
  check(LITE_get_input_name(network, 0, &name));
  check(LITE_get_io_tensor(network, name, LITE_INPUT, &input));
  read_input(input, argv[2]);
  check(LITE_forward(network));
  check(LITE_wait(network));
  check(LITE_get_all_output_name(network, &outputs, NULL));
  for (size_t i = 0; i < outputs; ++i) print_output(network, i);
  check(LITE_destroy_network(network));
  return 0;
}
