"""What a network's layers are made of and respond to: filters, activations, receptive fields, attention."""
