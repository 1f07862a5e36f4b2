"""One thread for torch, as in the product: at these sizes more are slower, above all on a busy machine."""

import torch

torch.set_num_threads(1)
