"""Causes: what each signature of two logs points to, what it excludes, and what would tell more.

Each is a likelihood, and is said as one: a log holds what a run came to, and not what it did. `rows` are keys of
library_defaults/rows.py, whose column "what it does to a curve" fits.
"""

from dataclasses import dataclass

PAIR = "compare.py --pair TORCH.PY KERAS.PY"
PAIR_TELLS = f"`{PAIR}` carries the same weights into both models and compares them layer by layer and step by step"
SAME_START = (
    "other initial weights, other first examples, another definition of the loss, and another forward pass: the first "
    "losses are equal, as far as the files tell"
)
SAME_TRAINING = "all that is trained: the losses are the same, as far as the files tell"
EVERY_STEP = "Log every step from the first on, with all digits, in both programs, and compare again"


@dataclass(frozen=True)
class Cause:
    """What a signature points to."""

    points_to: str  # goes on from "which points to"
    excluded: str = ""  # goes on from "Excluded:"
    then: str = f"{PAIR_TELLS}."
    rows: tuple[str, ...] = ()


ADAM_ROWS = ("adam_epsilon", "adam_epsilon_place", "adam_repeated_token")
DECAY_ROWS = ("adam_weight_decay", "adamw_weight_decay", "sgd_weight_decay", "l2_gradient")
CLIPPING_ROWS = ("clipping_scope", "clipping_denominator")
RATE_ROWS = ("sgd_learning_rate", "rmsprop_learning_rate", "adagrad_learning_rate", "default_optimizer")
LOSS_ROWS = ("cross_entropy_input", "softmax_before_the_loss", "class_weighted_mean", "column_against_vector")
FORWARD_ROWS = (
    *("batch_norm_epsilon", "layer_norm_epsilon", "group_norm_epsilon", "gelu_function", "leaky_relu_layer"),
    *("halving_padding", "average_pooling_padding", "float32_matrix_products"),
)
WEIGHT_ROWS = (
    *("dense_kernel_initialiser", "dense_bias_initialiser", "convolution_kernel_initialiser", "embedding_initialiser"),
    *("lstm_forget_bias", "dense_kernel_layout", "flattened_convolution"),
)
CAUSES: dict[str, Cause] = {
    "same": Cause("nothing", then=f"To prove that the programs are the same, and not only two runs: {PAIR_TELLS}."),
    "rounding": Cause(
        "rounding: sums in another order, in float32",
        then="The same two runs in float64 would prove it: rounding then almost vanishes, and nothing else does. "
        f"Or {PAIR_TELLS}, in float64.",
        rows=("jit_compilation", "float32_matrix_products", "pixel_scaling_function"),
    ),
    "unclear": Cause(
        "nothing in particular: rounding may do this, and so may a small difference in every update (ε, decay, a rate)",
        then=f"{EVERY_STEP}. The same two runs in float64 tell rounding from all else. Or {PAIR_TELLS}.",
        rows=(*ADAM_ROWS[:2], *DECAY_ROWS[:2], "gelu_function"),
    ),
    "not finite": Cause(
        "an overflow, a logarithm or a root of zero, or a step too large",
        then="Log the largest gradient of each step before it, and compare these.",
        rows=("cross_entropy_of_a_certain_mistake", "norm_gradient", "binary_cross_entropy_of_a_certain_mistake"),
    ),
    "renumbered": Cause(
        "the same losses, numbered differently",
        excluded="any difference in what was trained, as far as the files tell",
        then="Number the steps of both in the same way, and compare again.",
    ),
    "reported": Cause(
        "what is logged, and not what is trained: another mean (over batches, over examples, the epoch so far), the "
        "last batch in place of a mean, a unit, or a term that is only logged",
        then="Log the loss of each batch, before its update, in both programs, and compare again.",
        rows=("epoch_loss",),
    ),
    "reduction": Cause(
        "the definition of the loss: a sum in place of a mean, or a constant factor",
        excluded="other initial weights and other first examples, which give no such ratio",
        then="Divide one of the losses by this factor where it is computed, and compare again.",
        rows=("kl_divergence_mean", "l2_gradient", "class_weighted_mean"),
    ),
    "logits": Cause(
        "the scale of what the loss is given: logits that are taken for probabilities (from_logits) or the reverse, "
        "inputs that only one normalises, or initial weights of another scale",
        excluded="the optimizer, which has not acted yet",
        rows=(*LOSS_ROWS[:2], "cross_entropy_of_a_certain_mistake", *WEIGHT_ROWS[:4]),
    ),
    "softmax twice": Cause(
        "a softmax too many: probabilities that the loss takes for logits",
        then=f"Give the loss what the last dense layer gives, in both programs. Or {PAIR_TELLS}.",
        rows=LOSS_ROWS[:2],
    ),
    "penalty": Cause(
        "a term that one loss has and the other has not, such as an L2 penalty, in the loss or only in what is logged",
        excluded="other first examples: the two curves have the same ups and downs",
        rows=("l2_gradient",),
    ),
    "forward": Cause(
        "a constant of the forward pass: the ε of a normalisation, the form of GELU, a slope, label smoothing, or the "
        "precision (TF32, bfloat16)",
        excluded="other initial weights and other first examples, which would part the first losses further",
        rows=FORWARD_ROWS,
    ),
    "start": Cause(
        "what the first loss depends on, the same batches taken as given: initial weights, the scale or layout of "
        "inputs, the definition of the loss, or the forward pass (ε, padding, GELU, dropout, batch normalisation)",
        excluded="another order of the examples: the two curves have the same ups and downs",
        rows=(*WEIGHT_ROWS, *FORWARD_ROWS[:6], *LOSS_ROWS, "dropout_of_a_new_layer"),
    ),
    "examples": Cause(
        "other examples or labels in the batches, from the first on: the order, shuffling, or labels that belong to "
        "other inputs; the two curves have no ups and downs in common. Other initial weights may come on top",
        then="Log the indices, or a checksum, of the first batches in both programs.",
        rows=("shuffling", "shuffle_reach"),
    ),
    "first loss": Cause(
        "what the first loss depends on: initial weights, first examples, inputs of another scale, the definition of "
        "the loss, or the forward pass (ε, padding, GELU, dropout, batch normalisation)",
        rows=(*WEIGHT_ROWS, *FORWARD_ROWS[:6], *LOSS_ROWS, "shuffling", "dropout_of_a_new_layer"),
    ),
    "rate": Cause(
        "the learning rate, which the two files give as different",
        excluded=SAME_START,
        rows=(*RATE_ROWS, "nadam_learning_rate", "adamax_learning_rate", "adadelta_learning_rate"),
    ),
    "update": Cause(
        "the first update: the learning rate or its warm-up, the rule (ε, decay, Nesterov, clipping, bias correction), "
        "or a gradient (a frozen layer, a penalty, repeated tokens)",
        excluded=SAME_START,
        rows=(*RATE_ROWS, *ADAM_ROWS, *DECAY_ROWS, *CLIPPING_ROWS, "rmsprop_epsilon_place", "adagrad_accumulator"),
    ),
    "small": Cause(
        "a small difference that acts in every step from the start: a constant of the update (decay, ε, β, clipping, a "
        "rate that slowly changes), a small part that only one trains, or a constant of the forward pass that the "
        "first loss does not show (GELU, ε of a normalisation)",
        excluded="other initial weights and other first examples, and a rate or a momentum that differs much",
        rows=(*DECAY_ROWS, *ADAM_ROWS, "gelu_function", "clipping_denominator", "layer_norm_epsilon"),
    ),
    "carried": Cause(
        "what the first update leaves for the next: momentum, averages of the gradients (β), or gradients that are not "
        "zeroed; with Adam, whose first step is as long for gradients of any size, also their scale or clipping",
        excluded=f"{SAME_START}; and a learning rate that differs from the first step on",
        rows=("gradients_of_two_passes", "sgd_momentum", "sgd_weight_decay", "rmsprop_smoothing", *CLIPPING_ROWS),
    ),
    "first updates": Cause(
        "one of the updates before it: the learning rate, the rule (ε, decay, Nesterov, clipping), or what one update "
        "leaves for the next (momentum, gradients that are not zeroed); or a schedule or a batch that differs before "
        "this step",
        excluded=SAME_START,
        then=f"{EVERY_STEP}: whether they part at step 1, at step 2 or later tells these apart. Or {PAIR_TELLS}.",
        rows=(*RATE_ROWS, *ADAM_ROWS, *DECAY_ROWS, *CLIPPING_ROWS, "sgd_momentum", "gradients_of_two_passes"),
    ),
    "order": Cause(
        "other examples in the batches from there on: shuffling anew, or not, at the border of an epoch, or a batch "
        "that only one has",
        excluded=f"{SAME_START}; and the learning rate and the rule of the update",
        then="Log the indices, or a checksum, of the batches around this step in both programs.",
        rows=("shuffling", "shuffle_reach", "last_short_batch"),
    ),
    "last batch": Cause(
        "the last, short batch of an epoch, which one leaves out",
        excluded=f"{SAME_START}; and the learning rate and the rule of the update",
        then="Keep it in both programs, or in neither, and compare again.",
        rows=("last_short_batch", "epoch_loss"),
    ),
    "schedule": Cause(
        "the schedule of the learning rate: a drop, the end of a warm-up, a step that is counted from 0 or from 1",
        excluded=f"{SAME_START}; the rule of the update; and another order of the examples, where the two curves keep "
        "the same ups and downs",
        then="Log the learning rate of every step in both programs: a column of that name is compared as the loss is.",
        rows=("milestone", "plateau_threshold_mode", "plateau_epochs_waited", "sgd_momentum"),
    ),
    "later": Cause(
        "what first acts there: clipping that begins to bite, a schedule that begins to differ, or an example that "
        "only one has",
        excluded=f"{SAME_START}; and the rate and the rule of the update until there",
        then="Log the learning rate and the norm of the gradients of every step in both programs.",
        rows=(*CLIPPING_ROWS, "milestone", "cross_entropy_of_a_certain_mistake"),
    ),
    "evaluation": Cause(
        "what differs in evaluation alone: the running statistics of batch normalisation (momentum, variance), a "
        "model that is still in training mode, dropout left on, or other data for it",
        excluded=SAME_TRAINING,
        rows=(
            *("batch_norm_weight_of_the_new", "batch_norm_momentum", "batch_norm_running_variance"),
            *("batch_norm_frozen", "dropout_of_a_new_layer"),
        ),
    ),
    "metric": Cause(
        "the definition of this figure: a threshold, which classes count, how batches are averaged, or integers",
        excluded=f"{SAME_TRAINING}; and the evaluation's loss, where it is logged",
        then="Compute it in both programs from the same predictions.",
        rows=("mean_of_integers", "epoch_loss"),
    ),
    "first epoch": Cause(
        "nothing in particular: the loss of an epoch comes after many updates, so that start, data, loss and update "
        "can all be it",
        then=f"{EVERY_STEP}; an epoch's loss can't tell which comes first. Or {PAIR_TELLS}.",
    ),
    "begun late": Cause(
        "nothing in particular: where they began to differ lies before the first step that both have",
        then=f"{EVERY_STEP}. Or {PAIR_TELLS}.",
    ),
}
