"""The vocabulary of training: the words of `train { … }` and what they come to."""
