"""The ConvLSTM network of the first system."""
