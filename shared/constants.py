"""The constants of the update rules and of the rate's schedules, each once.

They are the defaults of PyTorch's own classes, whose formulas are the project's; docs/optimizers.md has Keras's beside
them.
"""

# The share of the buffer that is kept: the usual choice, for which neither library has a default.
MOMENTUM = 0.9
# The share of the mean gradient and of the mean squared gradient that is kept.
ADAM_BETAS = (0.9, 0.999)
RMSPROP_ALPHA = 0.99
ADAGRAD_INITIAL_ACCUMULATOR = 0.0
# Added to the root of a (mean) squared gradient, which it divides by.
ADAM_EPSILON = 1e-8
RMSPROP_EPSILON = 1e-8
ADAGRAD_EPSILON = 1e-10
# Added to the norm of all gradients, which clipping divides by: PyTorch has it in its code, not as an option.
CLIP_EPSILON = 1e-6

# What a run takes where no number is given. 0.01 is the tutorial's, and PyTorch's for Adagrad; 0.001 is both libraries'
# for Adam and AdamW, and Keras's for RMSprop. PyTorch's 0.01 would move every weight by 0.1 in RMSprop's first step.
LEARNING_RATE = {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3}
OTHERS_LEARNING_RATE = 1e-2
# AdamW is Adam but for its decay, so it has one by default: PyTorch's.
WEIGHT_DECAY = {"adamw": 1e-2}

# `--schedule step`: by what the rate is multiplied, and after which shares of the steps.
STEP_FACTOR = 0.1
STEP_MILESTONES = (1 / 2, 3 / 4)
