"""The mathematics, in torch: processors, losses, closed forms, evidence and alignment. No threads, no I/O."""
