"""Network architectures of the bundled weights.

Imports torch and torchvision only, so that the training scripts and the program build the same networks.

May import no other room.
"""
