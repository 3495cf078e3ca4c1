"""The help on the panels of networks that generate pictures: text, paper, address and part of the docs by panel."""

from __future__ import annotations

from viewer.help.help_entry import PanelHelp
from viewer.translation import tr


def table() -> dict[str, PanelHelp]:
    """Return the help on these panels by id."""
    return {
        "explore": PanelHelp(
            tr(
                "One slider for each dimension of the latent code, and the picture that the generator draws from it. "
                "A seed draws a new code from the prior, the same one on every machine."
            ),
            "Kingma and Welling 2014, Auto-Encoding Variational Bayes",
            "https://arxiv.org/abs/1312.6114",
            "Latent spaces.",
        ),
        "samples": PanelHelp(
            tr(
                "Pictures of codes drawn from the prior: what the model usually makes. Click one to explore from "
                "there, and lower the truncation for more typical ones."
            ),
            "Goodfellow et al. 2014, Generative Adversarial Nets",
            "https://arxiv.org/abs/1406.2661",
            "Latent spaces.",
        ),
        "timeline": PanelHelp(
            tr(
                "Keep two or more codes, and walk from one to the next through the latent space. Spherical "
                "interpolation keeps the length of a code typical, which a straight line does not."
            ),
            "White 2016, Sampling Generative Networks",
            "https://arxiv.org/abs/1609.04468",
            "Latent spaces.",
        ),
        "manifold": PanelHelp(
            tr(
                "A map of a plane through the latent space, each place drawn as the picture that belongs to it. Drag "
                "the marker, and the picture follows."
            ),
            "Kingma and Welling 2014, Auto-Encoding Variational Bayes",
            "https://arxiv.org/abs/1312.6114",
            "Manifold.",
        ),
        "directions": PanelHelp(
            tr(
                "Directions in the latent space along which the picture changes in one way, found without labels or "
                "from two sets of pictures. Each has a strip that shows what it does."
            ),
            "Shen and Zhou 2021, SeFa",
            "https://arxiv.org/abs/2007.06600",
            "Latent spaces.",
        ),
        "arithmetic": PanelHelp(
            tr(
                "Adds and subtracts latent codes: the result of a thick digit minus a thin one plus another is drawn. "
                "It works as far as the latent space is linear, which you see at once."
            ),
            "Radford, Metz and Chintala 2016, DCGAN",
            "https://arxiv.org/abs/1511.06434",
            "Latent spaces.",
        ),
        "anatomy": PanelHelp(
            tr(
                "A picture through the VAE: its reconstruction, the ELBO, and the KL divergence of every dimension. "
                "Dimensions with no divergence carry nothing, which is called collapse."
            ),
            "Burda, Grosse and Salakhutdinov 2016, Importance Weighted Autoencoders",
            "https://arxiv.org/abs/1509.00519",
            "Anatomy of a VAE.",
        ),
        "inversion": PanelHelp(
            tr(
                "Looks for the latent code from which the generator draws a given picture. What it cannot draw is not "
                "in its space, and a picture of its own shows how well the search works."
            ),
            "Zhu, Krähenbühl, Shechtman and Efros 2016, Generative Visual Manipulation",
            "https://arxiv.org/abs/1609.03552",
            "Anatomy of a GAN.",
        ),
        "critic": PanelHelp(
            tr(
                "How real the discriminator of the GAN finds the picture, among samples and real pictures. Its score "
                "ranks pictures and is no probability."
            ),
            "Azadi, Olsson, Darrell, Goodfellow and Odena 2019, Discriminator Rejection Sampling",
            "https://arxiv.org/abs/1810.06758",
            "Anatomy of a GAN.",
        ),
        "class_grid": PanelHelp(
            tr(
                "A row for each class that the generator can be asked for, with the same noise in every column. A "
                "classifier says whether it sees the asked class, and the diversity whether the noise is used."
            ),
            "Mirza and Osindero 2014, Conditional Generative Adversarial Nets",
            "https://arxiv.org/abs/1411.1784",
            "Class x noise.",
        ),
        "growth": PanelHelp(
            tr(
                "A progressive GAN learns small pictures first; each level of twice the size is faded in. The slider "
                "leads through all of it: both branches, what they make together, and the critic that mirrors them."
            ),
            "Karras, Aila, Laine and Lehtinen 2018, Progressive Growing of GANs",
            "https://arxiv.org/abs/1710.10196",
            "Growth.",
        ),
        "prior_match": PanelHelp(
            tr(
                "Where the codes of real pictures lie beside the prior, and what the critic of an adversarial "
                "autoencoder makes of the plane. A permutation test says whether they may be of one distribution."
            ),
            "Makhzani, Shlens, Jaitly, Goodfellow and Frey 2016, Adversarial Autoencoders",
            "https://arxiv.org/abs/1511.05644",
            "Prior match.",
        ),
        "pixel_likelihood": PanelHelp(
            tr(
                "How many bits each pixel takes given those before it, over the picture, and their sum. That is the "
                "exact likelihood of the picture, so that pictures can be ranked by it."
            ),
            "van den Oord, Kalchbrenner and Kavukcuoglu 2016, Pixel Recurrent Neural Networks",
            "https://arxiv.org/abs/1601.06759",
            "Likelihood pixel by pixel.",
        ),
        "pixel_film": PanelHelp(
            tr(
                "A picture drawn pixel by pixel, with the distribution of the pixel whose turn it is. Overrule a pixel "
                "and what follows is drawn again with the same random numbers."
            ),
            "van den Oord, Kalchbrenner, Vinyals and others 2016, Conditional Image Generation with PixelCNN Decoders",
            "https://arxiv.org/abs/1606.05328",
            "Sampling as a film.",
        ),
        "causality": PanelHelp(
            tr(
                "Which pixels the distribution of a pixel depends on, which it misses, and whether any pixel uses what "
                "comes after it. A network that does so gives no probabilities."
            ),
            "van den Oord, Kalchbrenner and Kavukcuoglu 2016, Pixel Recurrent Neural Networks",
            "https://arxiv.org/abs/1601.06759",
            "Causality.",
        ),
        "likelihood_ranking": PanelHelp(
            tr(
                "The pictures of the current folder by their likelihood, the least likely first. A double click opens "
                "one, to see which of its pixels are unlikely."
            ),
            "Nalisnick, Matsukawa, Teh, Gorur and Lakshminarayanan 2019, Do Deep Generative Models Know What They "
            "Don't Know?",
            "https://arxiv.org/abs/1810.09136",
            "Ranking by likelihood.",
        ),
    }
