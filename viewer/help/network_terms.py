"""The glossary's words of networks, of how they are explained, and of latent spaces."""

from __future__ import annotations

from viewer.help.glossary_term import Term
from viewer.translation import tr


def terms() -> tuple[Term, ...]:
    """Return the terms."""
    return (
        Term(
            "activation",
            tr("Activation"),
            tr(
                "The value that a layer returns for one channel at one place. A high one says that what the channel "
                "looks for is there."
            ),
            ("activations",),
        ),
        Term(
            "attention",
            tr("Attention"),
            tr(
                "How a transformer mixes information: each token takes a weighted mean of all others, and the "
                "weights, which sum to 1, are the attention. What a token reads need not be what decides."
            ),
            ("attention head",),
        ),
        Term(
            "attribution",
            tr("Attribution map"),
            tr(
                "A map that says how much each part of the picture adds to a score. There are many methods, which "
                "need not agree."
            ),
            ("attribution", "saliency map"),
        ),
        Term(
            "backbone",
            tr("Backbone"),
            tr(
                "The part of a network that turns the picture into feature maps, such as a ResNet. Detectors and "
                "segmenters put heads on it."
            ),
        ),
        Term(
            "batch-norm",
            tr("Batch normalisation"),
            tr(
                "A layer that shifts and scales each channel to mean 0 and variance 1. In use it takes the mean and "
                "variance remembered from the training, not those of the picture."
            ),
            ("batch norm", "BatchNorm"),
        ),
        Term(
            "channel",
            tr("Channel"),
            tr("One of the feature maps of a layer, made by one filter. A colour picture has three: red, green, blue."),
            ("unit",),
        ),
        Term(
            "checkpoint",
            tr("Checkpoint"),
            tr("A file with the weights of a network at some moment of its training."),
        ),
        Term(
            "convolution",
            tr("Convolution"),
            tr(
                "A layer that slides small filters over its input and returns at every place how well each filter fits."
            ),
            ("conv layer", "convolutional"),
        ),
        Term(
            "cosine",
            tr("Cosine similarity"),
            tr(
                "The cosine of the angle between two vectors: 1 if they point the same way, 0 at right angles, "
                "whatever their lengths."
            ),
            ("cosine",),
        ),
        Term(
            "decoder",
            tr("Decoder"),
            tr(
                "The half of an autoencoder that draws a picture from a latent code; also the part of a segmenter "
                "that brings small feature maps back to the size of the picture."
            ),
        ),
        Term(
            "deletion",
            tr("Deletion and insertion"),
            tr(
                "Tests of an attribution map: remove the pixels it calls important, most important first, and the "
                "score should fall fast; insert them into an empty picture, and it should rise fast."
            ),
            ("deletion", "insertion"),
        ),
        Term(
            "discriminator",
            tr("Discriminator"),
            tr(
                "The half of a GAN that learns to tell real pictures from generated ones. The generator learns to "
                "deceive it."
            ),
            ("critic",),
        ),
        Term(
            "elbo",
            tr("ELBO (evidence lower bound)"),
            tr(
                "What a VAE maximises: how well it reconstructs the picture, less the KL divergence of the code from "
                "the prior. It is a lower bound of the log-likelihood of the picture."
            ),
            ("ELBO", "evidence lower bound"),
        ),
        Term(
            "embedding",
            tr("Embedding"),
            tr("A vector that stands for a picture, a patch or a class, such that similar ones lie near each other."),
            ("feature vector",),
        ),
        Term(
            "encoder",
            tr("Encoder"),
            tr(
                "The half of an autoencoder that turns a picture into a latent code, in a VAE into a distribution of "
                "codes."
            ),
        ),
        Term(
            "epoch",
            tr("Epoch"),
            tr("One pass of the training through all pictures of the data set."),
        ),
        Term(
            "feature-map",
            tr("Feature map"),
            tr(
                "What a layer returns for one of its channels: a small picture that is bright where its feature was "
                "found."
            ),
            ("features",),
        ),
        Term(
            "filter",
            tr("Filter"),
            tr(
                "The weights of one output channel of a convolution, typically 3 x 3 for every input channel. Also "
                "called kernel."
            ),
            ("kernel", "convolution kernel"),
        ),
        Term(
            "gan",
            tr("GAN (generative adversarial network)"),
            tr(
                "A generator that draws pictures from random codes and a discriminator that judges them, trained "
                "against each other."
            ),
            ("GAN", "generative adversarial network"),
        ),
        Term(
            "generator",
            tr("Generator"),
            tr("A network that draws a picture from a latent code."),
        ),
        Term(
            "grad-cam",
            tr("Grad-CAM"),
            tr(
                "An attribution method: the feature maps of a late layer, weighted by the mean gradient of the score "
                "with respect to each, added up, and without what is negative."
            ),
            ("GradCAM", "CAM", "class activation map"),
        ),
        Term(
            "gradient",
            tr("Gradient"),
            tr("How much a score changes when a value, such as a pixel or an activation, changes a little."),
        ),
        Term(
            "head",
            tr("Head"),
            tr(
                "The last layers of a network, which turn features into answers: classes, boxes, masks. In attention, "
                "one of several parallel mixtures."
            ),
            ("box head", "detection head"),
        ),
        Term(
            "integrated-gradients",
            tr("Integrated gradients"),
            tr(
                "An attribution method: the gradients along the straight way from a baseline picture to this one, "
                "added up. The values sum to the difference of the two scores, which is called completeness."
            ),
            ("completeness",),
        ),
        Term(
            "interpolation",
            tr("Interpolation"),
            tr(
                "The codes between two codes of a latent space, and their pictures: along a line (linear) or along an "
                "arc (spherical, slerp)."
            ),
            ("slerp", "spherical interpolation", "lerp"),
        ),
        Term(
            "jacobian",
            tr("Jacobian"),
            tr(
                "The matrix of how every output changes with every input. Its singular vectors are the directions in "
                "which a picture changes most."
            ),
        ),
        Term(
            "kl",
            tr("KL divergence"),
            tr(
                "How far one distribution is from another, in nats or bits. In a VAE it measures how much a dimension "
                "of the code says about the picture."
            ),
            ("KL", "Kullback-Leibler divergence"),
        ),
        Term(
            "latent-code",
            tr("Latent code"),
            tr("The vector from which a generator draws a picture, usually called z."),
            ("latent vector", "code z"),
        ),
        Term(
            "latent-space",
            tr("Latent space"),
            tr(
                "The space of all latent codes of a model. Near codes give similar pictures, and directions can have "
                "a meaning."
            ),
        ),
        Term(
            "layer",
            tr("Layer"),
            tr(
                "One step of a network, such as a convolution. A call is one use of it; a layer can be called several "
                "times."
            ),
        ),
        Term(
            "lime",
            tr("LIME and SHAP"),
            tr(
                "Attribution methods that switch superpixels off and on at random and fit a simple model to the "
                "scores; SHAP shares the score out by Shapley values."
            ),
            ("LIME", "SHAP", "KernelSHAP", "Shapley value"),
        ),
        Term(
            "logits",
            tr("Logits"),
            tr(
                "The raw outputs of a classifier before softmax or sigmoid. They may be any number, and only their "
                "differences matter for softmax."
            ),
            ("logit",),
        ),
        Term(
            "mode-collapse",
            tr("Mode collapse"),
            tr(
                "A GAN that draws only a few kinds of pictures. In a VAE, collapse means that a dimension of the code "
                "carries nothing."
            ),
            ("collapse", "posterior collapse"),
        ),
        Term(
            "normalisation",
            tr("Normalisation of pictures"),
            tr(
                "Subtracting a mean and dividing by a standard deviation for each colour, as was done in the "
                "training. With the wrong values a network sees pictures it does not know."
            ),
            ("normalisation", "normalization"),
        ),
        Term(
            "occlusion",
            tr("Occlusion"),
            tr(
                "An attribution method: a patch is slid over the picture, and where covering it lowers the score "
                "most, there is what the score rests on."
            ),
        ),
        Term(
            "onnx",
            tr("ONNX"),
            tr(
                "An open format for networks, independent of the library that trained them: a graph of operators with "
                "weights."
            ),
        ),
        Term(
            "overfitting",
            tr("Overfitting"),
            tr(
                "Learning the training pictures by heart instead of what they have in common. It shows as good "
                "figures there and bad ones on new pictures."
            ),
            ("memorisation", "memorised"),
        ),
        Term(
            "parameters",
            tr("Parameters"),
            tr(
                "The numbers that a network has learned: weights and biases. Their count is the usual measure of its "
                "size."
            ),
            ("weights",),
        ),
        Term(
            "patch",
            tr("Patch and token"),
            tr(
                "A vision transformer cuts the picture into patches, typically 16 x 16 pixels; each becomes a token, "
                "a vector that attention mixes with the others."
            ),
            ("patch", "token", "class token"),
        ),
        Term(
            "pgd",
            tr("PGD and adversarial examples"),
            tr(
                "Projected gradient descent looks for a change of the picture, too small to see, that flips the "
                "answer. Such a picture is called an adversarial example."
            ),
            ("PGD", "adversarial example", "adversarial"),
        ),
        Term(
            "pooling",
            tr("Pooling"),
            tr("Making a feature map smaller by taking the maximum or mean of each little window."),
            ("max pooling", "average pooling"),
        ),
        Term(
            "posterior",
            tr("Posterior"),
            tr(
                "In a VAE the distribution of codes that the encoder finds for one picture: a mean and a spread for "
                "each dimension."
            ),
        ),
        Term(
            "prior",
            tr("Prior"),
            tr(
                "The distribution from which latent codes are drawn, nearly always a standard normal one. Codes far "
                "outside of it are not what the generator has learned."
            ),
        ),
        Term(
            "receptive-field",
            tr("Receptive field"),
            tr(
                "The part of the picture that a value of a feature map can depend on. It grows with depth; what "
                "really matters is mostly its middle."
            ),
        ),
        Term(
            "reconstruction",
            tr("Reconstruction"),
            tr(
                "A picture that was encoded and decoded again. How far it is from the original is the reconstruction "
                "error."
            ),
            ("reconstruction error",),
        ),
        Term(
            "relu",
            tr("ReLU"),
            tr("The activation function that leaves positive values and makes negative ones 0."),
            ("rectifier",),
        ),
        Term(
            "residual",
            tr("Residual connection"),
            tr(
                "A path around some layers whose input is added to their output, which lets deep networks learn "
                "(ResNet)."
            ),
            ("residual", "skip connection", "ResNet"),
        ),
        Term(
            "rollout",
            tr("Attention rollout"),
            tr(
                "The attention of all blocks multiplied together, with the residual connections: from which patches "
                "information can have reached a token."
            ),
            ("rollout",),
        ),
        Term(
            "saliency",
            tr("Saliency"),
            tr("The simplest attribution method: the size of the gradient of the score at each pixel."),
            ("SmoothGrad",),
        ),
        Term(
            "seed",
            tr("Seed"),
            tr("A number from which random values follow, so that the same draw can be repeated."),
        ),
        Term(
            "sigmoid",
            tr("Sigmoid"),
            tr("Turns one logit into a number from 0 to 1. Used where classes do not exclude each other."),
        ),
        Term(
            "softmax",
            tr("Softmax"),
            tr(
                "Turns logits into probabilities that sum to 1. A high one is only relative to the other classes, and "
                "no proof that the object is of any of them."
            ),
            ("probability", "probabilities"),
        ),
        Term(
            "stride",
            tr("Stride"),
            tr(
                "How many pixels of the picture lie between two neighbouring cells of a feature map; of one layer, by "
                "how many cells its filter moves."
            ),
        ),
        Term(
            "superpixel",
            tr("Superpixel"),
            tr("A small region of similar pixels, which LIME and SHAP switch on and off as one."),
        ),
        Term(
            "tcav",
            tr("TCAV"),
            tr(
                "Testing with concept activation vectors: how often a class's score rises when the activations of a "
                "layer move towards a concept that was learned from examples."
            ),
            ("concept activation vector",),
        ),
        Term(
            "tracin",
            tr("TracIn"),
            tr(
                "Estimates how much a training picture changed the answer for this one: the product of their "
                "gradients, added up over checkpoints."
            ),
            ("influence function",),
        ),
        Term(
            "transformer",
            tr("Transformer"),
            tr(
                "A network made of attention and small dense layers; of pictures also called ViT. DETR detects with "
                "one, without anchors and NMS."
            ),
            ("ViT", "vision transformer", "DETR"),
        ),
        Term(
            "truncation",
            tr("Truncation"),
            tr("Drawing codes nearer to the middle of the prior: the pictures become more typical and less varied."),
        ),
        Term(
            "vae",
            tr("VAE (variational autoencoder)"),
            tr(
                "An encoder and a decoder with a latent space between them that is kept near a prior, so that drawn "
                "codes give pictures too."
            ),
            ("VAE", "variational autoencoder", "autoencoder"),
        ),
    )
