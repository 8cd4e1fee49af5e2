"""What a machine with a GPU would trip over: a tensor left on the CPU, a step computed there, a graph badly taken."""

from tests.mutants.table import Mutant, in_file

DEVICES = "tests/implementations/test_devices.py::test_"
EAGER = f"{DEVICES}pytorch_trains_evaluates_and_looks_at_what_is_on_the_gpu_alone[--engine eager]"
TUTORIAL = f"{DEVICES}pytorchs_tutorial_trains_on_the_gpu"
GRAPH = f"{DEVICES}pytorchs_steps_as_a_graph_are_its_eager_steps_bit_for_bit[float32]"
PLACES = f"{DEVICES}tensorflow_places_every_operation_on_the_device[--engine eager --optimizer adam --clip-norm 1"
PLACES += " --weight-decay 0.1 --schedule cosine]"
CHECK = "tests/benchmarks/test_gpu_check.py::test_"

MUTANTS: list[Mutant] = [
    *in_file(
        "pytorch_impl/model.py",
        {EAGER: [("GPU: the model stays on the CPU", "return model.to(device)", "return model")]},
    ),
    *in_file(
        "pytorch_impl/data.py",
        {EAGER: [("GPU: the inputs stay on the CPU", "Dataset(inputs.to(device),", "Dataset(inputs,")]},
    ),
    *in_file(
        "pytorch_impl/train.py",
        {
            EAGER: [
                (
                    "GPU: all is evaluated on the CPU",
                    "    return model(inputs).cpu().numpy()",
                    "    logits = model.cpu()(inputs.cpu()).numpy()\n    model.to(inputs.device)\n    return logits",
                ),
                (
                    "GPU: NumPy is to read its memory",
                    "torch.stack(losses).cpu().numpy()",
                    "torch.stack(losses).numpy()",
                ),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/stock.py",
        {TUTORIAL: [("GPU: a tutorial's labels stay on the CPU", "labels.to(device))", "labels)")]},
    ),
    *in_file(
        "pytorch_impl/fast.py",
        {
            GRAPH: [
                ("GPU: what warms the graph up also trains", "parameter.copy_(before)", "pass"),
                ("GPU: the graph is replayed on the same batches", "batches.copy_(indices)", "pass"),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/model.py",
        {PLACES: [("GPU: the weights stay on the CPU", "with tf.device(device):", 'with tf.device("CPU:0"):')]},
    ),
    *in_file(
        "tensorflow_impl/train.py",
        {
            PLACES: [
                (
                    "GPU: all is evaluated on the CPU in TensorFlow",
                    "    return model(inputs).numpy()",
                    '    with tf.device("CPU:0"):\n        return model(inputs).numpy()',
                ),
            ],
        },
    ),
    *in_file(
        "benchmarks/gpu_page.py",
        {
            f"{CHECK}it_passes_only_what_was_on_the_device_in_full_precision": [
                ("gpu-check: what ran on the CPU passes", "if run.record.device.type != self.device:", "if False:"),
                ("gpu-check: TF32 that was left on passes", 'if products != ("tf32"', 'if not ("tf32"'),
            ],
            f"{CHECK}what_there_is_no_time_for_is_told_and_no_pass": [
                ("gpu-check: what is not done passes", "in self.missing.items()]", "in ()]"),
            ],
        },
    ),
    *in_file(
        "benchmarks/gpu_check.py",
        {
            f"{CHECK}a_part_that_takes_too_long_is_ended": [
                ("gpu-check: no end", "signal.setitimer(signal.ITIMER_REAL, seconds)", "pass"),
            ],
        },
    ),
]
