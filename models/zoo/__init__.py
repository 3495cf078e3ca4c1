"""Published models by name: torchvision's and timm's, what is known of them, their download. No Qt."""
