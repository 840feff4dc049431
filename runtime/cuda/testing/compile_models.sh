#!/bin/bash
# Usage: compile_models.sh COMPILE MAKE_RANDOM_MODEL FOLDER TARGETS. Makes the models that tests of GPUs run, in FOLDER, mostly
# from those in testdata/. TARGETS: one for GPUs, then x86-64-v3.
set -eu
compile=$1 make_random_model=$2 folder=$3 targets=$4
mkdir -p "$folder"
make() {  # NAME MODEL [FLAGS]
  local name=$1 model=testdata/$2/model.mge
  shift 2
  "$compile" "$model" --target="$targets" -o "$folder/$name.mgec" "$@" > "$folder/$name.log" 2>&1 || {
    cat "$folder/$name.log" >&2
    exit 1
  }
  rm "$folder/$name.log"
}
for net in gpt_micro lenet5 lstm_op_l1 mlp_f16 multi_head_attention__self q_quint8_act repvgg_tiny rnn_cell__relu \
  rnn_op_l2_bi squeezenet1_1 two_inputs_three_outputs unet_bilinear vit_micro_f16; do
  make "$net" "nets/$net"
done
make lenet5_any_batch nets/lenet5 --input-shape data=Nx1x32x32
make lenet5_two_shapes nets/lenet5 --input-shape data=1x1x32x32 --input-shape data=2x1x32x32
make cond_take ops/cond_take__2d
make lenet5_gpu_only nets/lenet5 --target="${targets%%,x86*}"
make lenet5_cpu_only nets/lenet5 --target="x86${targets##*,x86}"
"$make_random_model" "$targets" "$folder/random.mgec"
