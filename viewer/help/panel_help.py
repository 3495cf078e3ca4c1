"""The help on every panel: two sentences, the paper behind it, and where the documentation says more.

A panel's drawing is assets/help/<id>.svg. Words of the glossary in a text become links by themselves.
"""

from __future__ import annotations

from viewer.help import detector_training_help, generative_help
from viewer.help.help_entry import PanelHelp
from viewer.translation import tr

WORDS_MOST = 60


def of(panel: str) -> PanelHelp | None:
    """Return the help on a panel by its id, None for a panel without."""
    return table().get(panel)


def table() -> dict[str, PanelHelp]:
    """Return the help on all panels by id."""
    return {
        "detect": PanelHelp(
            tr(
                "Which boxes the detector shows: everything above the score, after NMS has removed those that overlap "
                "a better one. Move a slider and the boxes follow at once, because the network is not run again."
            ),
            "Ren, He, Girshick and Sun 2015, Faster R-CNN",
            "https://arxiv.org/abs/1506.01497",
            "Detection.",
        ),
        "anchors": PanelHelp(
            tr(
                "The boxes from which the detector starts: fixed sizes and shapes, repeated at every cell of its "
                "feature maps. See those at a place, all of them, or their density, by level of the pyramid."
            ),
            "Ren, He, Girshick and Sun 2015, Faster R-CNN",
            "https://arxiv.org/abs/1506.01497",
            "Anchors.",
        ),
        "film": PanelHelp(
            tr(
                "All open pictures, with the one that is shown marked. Choose with the arrow keys, and take a picture "
                "out with Delete, which leaves its file alone."
            ),
            "",
            "",
            "Pictures",
        ),
        "results": PanelHelp(
            tr(
                "Every box that is shown, with class, score and place in pixels of the picture. A click selects the "
                "box on the picture, and every number can be copied."
            ),
            "",
            "",
            "Detection.",
        ),
        "live": PanelHelp(
            tr(
                "Plays a video, a camera or a stream with the model's answers painted over it. Frames the model had "
                "no time for are dropped and counted, so what you see is never late."
            ),
            "",
            "",
            "Live",
        ),
        "log": PanelHelp(
            tr(
                "Everything the program and the engine have said, newest last, with the details of what went wrong. "
                "Copy it when you report a problem."
            ),
            "",
            "",
            "The model runs in a process of its own.",
        ),
        "lineage": PanelHelp(
            tr(
                "The way of one box through the detector: its anchor, its objectness, the proposal, the score of "
                "every class, and what NMS did. It also tells which boxes it removed, and by how much they "
                "overlapped."
            ),
            "Neubeck and Van Gool 2006, Efficient Non-Maximum Suppression",
            "https://doi.org/10.1109/ICPR.2006.479",
            "Lineage.",
        ),
        "missed": PanelHelp(
            tr(
                "Draw a rectangle around an object that was not found, and see at which stage it was lost. The "
                "buttons make the smallest change that brings it back, and say how many other boxes come with it."
            ),
            "Hoiem, Chodpathumwan and Dai 2012, Diagnosing Error in Object Detectors",
            "https://doi.org/10.1007/978-3-642-33712-3_25",
            "Why missed?",
        ),
        "truth": PanelHelp(
            tr(
                "Compares the boxes with annotated ones: each is correct, wrong or missed, by COCO's matching rule. "
                "Every figure says whether it is of this picture or of the whole data set."
            ),
            "Lin et al. 2014, Microsoft COCO: Common Objects in Context",
            "https://arxiv.org/abs/1405.0312",
            "Ground truth.",
        ),
        "compare": PanelHelp(
            tr(
                "Pin the settings as B, change anything, and see which boxes are only in A, only in B, moved or "
                "scored differently. It shows what Soft-NMS or another threshold really changes."
            ),
            "Bodla, Singh, Chellappa and Davis 2017, Soft-NMS",
            "https://arxiv.org/abs/1704.04503",
            "Suppression workshop.",
        ),
        "figures": PanelHelp(
            tr(
                "The figures of a whole data set: mAP, precision and recall, F1, the confusion matrix, and what the "
                "errors are. Each picture is looked at once, after which all figures follow the sliders."
            ),
            "Bolya, Foley, Hays and Hoffman 2020, TIDE",
            "https://arxiv.org/abs/2008.08115",
            "Figures of a data set.",
        ),
        "workbench": PanelHelp(
            tr(
                "Which anchors would learn which object, by the matching rule of the model's training. Change scales "
                "and aspect ratios, and see how many objects are still reached by none."
            ),
            "Zhang, Chi, Yao, Lei and Li 2020, ATSS",
            "https://arxiv.org/abs/1912.02424",
            "Anchor workbench.",
        ),
        **detector_training_help.table(),
        "masks": PanelHelp(
            tr(
                "The outline of each object, which the mask head draws inside its box from a small grid of "
                "probabilities. Move the threshold, or look at the probabilities themselves."
            ),
            "He, Gkioxari, Dollár and Girshick 2017, Mask R-CNN",
            "https://arxiv.org/abs/1703.06870",
            "Masks and key points",
        ),
        "keypoints": PanelHelp(
            tr(
                "The key points of each object, such as a person's joints: each is the peak of a heat map inside the "
                "box. The heat map of a point can be laid over the picture."
            ),
            "He, Gkioxari, Dollár and Girshick 2017, Mask R-CNN",
            "https://arxiv.org/abs/1703.06870",
            "Masks and key points",
        ),
        "filters": PanelHelp(
            tr(
                "The weights of a convolution, drawn as small pictures: what the first layer looks for can be read "
                "from them. Dead and duplicate filters are pointed out."
            ),
            "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks",
            "https://arxiv.org/abs/1311.2901",
            "Layers, filters, activations, attention.",
        ),
        "activations": PanelHelp(
            tr(
                "What every channel of a layer says about this picture, as a feature map. Under the pointer its "
                "receptive field is framed: the part of the picture that the value can depend on."
            ),
            "Luo, Li, Urtasun and Zemel 2016, Understanding the Effective Receptive Field",
            "https://arxiv.org/abs/1701.04128",
            "Layers, filters, activations, attention.",
        ),
        "attention": PanelHelp(
            tr(
                "From which patches a transformer takes its information, per block and head, or through all blocks by "
                "rollout. A click on the picture chooses the patch that asks."
            ),
            "Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers",
            "https://arxiv.org/abs/2005.00928",
            "Layers, filters, activations, attention.",
        ),
        "classify": PanelHelp(
            tr(
                "Every class with its probability, which is the softmax of the logits. Click a class to make it the "
                "target of the explanations."
            ),
            "Guo, Pleiss, Sun and Weinberger 2017, On Calibration of Modern Neural Networks",
            "https://arxiv.org/abs/1706.04599",
            "Classification",
        ),
        "attribution": PanelHelp(
            tr(
                "Paints over the picture how much each part adds to the score of the target, by a method such as "
                "Grad-CAM. Methods disagree, so look at several and then at the proof."
            ),
            "Selvaraju et al. 2017, Grad-CAM",
            "https://arxiv.org/abs/1610.02391",
            "Attribution.",
        ),
        "classification_figures": PanelHelp(
            tr(
                "How often a classifier is right on a labelled data set, where it is wrong, and how far its confidence "
                "can be trusted. A click on a cell of the confusion matrix lists the pictures behind it."
            ),
            "Guo, Pleiss, Sun and Weinberger 2017, On Calibration of Modern Neural Networks",
            "https://arxiv.org/abs/1706.04599",
            "Classification figures",
        ),
        "gradients": PanelHelp(
            tr(
                "How large the gradients and weights of each layer are for a loss, two losses beside each other, and "
                "what autograd computes step by step. Layers whose gradients vanish learn nothing from this loss."
            ),
            "Glorot and Bengio 2010, Understanding the Difficulty of Training Deep Networks",
            "https://proceedings.mlr.press/v9/glorot10a.html",
            "Gradients",
        ),
        "synthesise": PanelHelp(
            tr(
                "A picture made out of noise that raises the score of a class, a channel or a unit as far as it can. "
                "What other models see in it tells whether it shows the class or only deceives this network."
            ),
            "Simonyan, Vedaldi and Zisserman 2014, Deep Inside Convolutional Networks",
            "https://arxiv.org/abs/1312.6034",
            "Class visualization",
        ),
        "activation_functions": PanelHelp(
            tr(
                "Where on its curve each activation function works, and which units are dead: they return the same "
                "for every picture of the folder. Try another function in its place and see what the answer becomes."
            ),
            "Ramachandran, Zoph and Le 2017, Searching for Activation Functions",
            "https://arxiv.org/abs/1710.05941",
            "Activation functions",
        ),
        "heat_map_audit": PanelHelp(
            tr(
                "A key point's place depends on how its heat map is read: by which rule, and where in the input a cell "
                "lies. With annotated points each choice is measured in pixels, and the frame is found."
            ),
            "Zhang, Zhu, Dai, Ye and Zhu 2020, Distribution-Aware Coordinate Representation (DARK)",
            "https://arxiv.org/abs/1910.06278",
            "Heat-map audit",
        ),
        "peaks": PanelHelp(
            tr(
                "A heat-map detector takes the cells that are the largest of their neighbourhood, adds their offset "
                "and size, and needs no NMS. Or it pairs corners, and the table says why a pair was refused."
            ),
            "Zhou, Wang and Krähenbühl 2019, Objects as Points",
            "https://arxiv.org/abs/1904.07850",
            "Heat-map detection",
        ),
        "prototypes": PanelHelp(
            tr(
                "All masks of a picture are weighted sums of the same few prototypes. Add them one by one, or click a "
                "pixel to see what each of them adds there."
            ),
            "Bolya, Zhou, Xiao and Lee 2019, YOLACT",
            "https://arxiv.org/abs/1904.02689",
            "Prototypes",
        ),
        "fusion": PanelHelp(
            tr(
                "Masks of things and classes of pixels become segments, one a pixel: instances are pasted by their "
                "score and stuff fills up, or all of them put a logit into one pile. Click a pixel to see who wins it."
            ),
            "Kirillov, He, Girshick, Rother and Dollár 2019, Panoptic Segmentation",
            "https://arxiv.org/abs/1801.00868",
            "Panoptic fusion",
        ),
        "charts": PanelHelp(
            tr(
                "A surface is cut into parts, and each is flattened to a square chart. For every pixel the network "
                "says which part it shows and where on the chart it lies, so that a texture can be laid on."
            ),
            "Güler, Neverova and Kokkinos 2018, DensePose",
            "https://arxiv.org/abs/1802.00434",
            "Charts",
        ),
        "parts": PanelHelp(
            tr(
                "Networks are built of a few parts: CSP, SPP, FPN, PAN, shortcuts, dense connections, gates. They are "
                "recognised by how maps are joined, with what passes by and what a cell sees before and after."
            ),
            "Bochkovskiy, Wang and Liao 2020, YOLOv4",
            "https://arxiv.org/abs/2004.10934",
            "Parts of the network",
        ),
        "gates": PanelHelp(
            tr(
                "Networks with squeeze-and-excitation weigh their channels or places by what they see, and these are "
                "the factors for this picture and others of its folder. They gate what passes on, and explain nothing."
            ),
            "Hu, Shen and Sun 2018, Squeeze-and-Excitation Networks",
            "https://arxiv.org/abs/1709.01507",
            "Gates",
        ),
        "deidentify": PanelHelp(
            tr(
                "Copies of a folder's pictures in which what the model finds, such as faces, is filled, pixelated or "
                "blurred, with a report. A face that is missed stays visible, and only filling cannot be undone."
            ),
            "McPherson, Shokri and Shmatikov 2016, Defeating Image Obfuscation with Deep Learning",
            "https://arxiv.org/abs/1609.00408",
            "De-identification.",
        ),
        "layers": PanelHelp(
            tr(
                "Every call the network makes, in order, with the shape of its output and a thumbnail. The layer "
                "chosen here is the one that Grad-CAM and the activations use."
            ),
            "Olah, Mordvintsev and Schubert 2017, Feature Visualization",
            "https://distill.pub/2017/feature-visualization/",
            "Layers, filters, activations, attention.",
        ),
        "maps": PanelHelp(
            tr(
                "Attribution maps of several methods, classes and pictures in one grid, with one scale for all. Mark "
                "two cells to see their signed difference."
            ),
            "Adebayo et al. 2018, Sanity Checks for Saliency Maps",
            "https://arxiv.org/abs/1810.03292",
            "Compare maps.",
        ),
        "proof": PanelHelp(
            tr(
                "Tests an attribution map: if the parts it calls important are deleted first, the score should fall "
                "sooner than with random maps. The verdict says how far it is outside their spread."
            ),
            "Petsiuk, Das and Saenko 2018, RISE",
            "https://arxiv.org/abs/1806.07421",
            "Proof.",
        ),
        "robustness": PanelHelp(
            tr(
                "The smallest change of the pixels that flips the answer, found by PGD. Random noise of the same size "
                "is tried beside it, to show that the direction matters and not the amount."
            ),
            "Madry, Makelov, Schmidt, Tsipras and Vladu 2018, Towards Deep Learning Models Resistant to Attacks",
            "https://arxiv.org/abs/1706.06083",
            "Robustness",
        ),
        "concepts": PanelHelp(
            tr(
                "Does a class depend on stripes, on grass? TCAV learns a concept as a direction in a layer from "
                "pictures with and without it, and counts how often that direction raises the class."
            ),
            "Kim et al. 2018, TCAV",
            "https://arxiv.org/abs/1711.11279",
            "Concepts",
        ),
        "influence": PanelHelp(
            tr(
                "Which training pictures speak for the answer and which against it. TracIn adds up the products of "
                "their gradients over the checkpoints of the training."
            ),
            "Pruthi, Liu, Kale and Sundararajan 2020, TracIn",
            "https://arxiv.org/abs/2002.08484",
            "Influence",
        ),
        **generative_help.table(),
        "neighbours": PanelHelp(
            tr(
                "The pictures of a folder that a layer takes for most like the open one, with their distances. Labels "
                "that disagree with their neighbours are worth a look."
            ),
            "Papernot and McDaniel 2018, Deep k-Nearest Neighbors",
            "https://arxiv.org/abs/1803.04765",
            "Data sets",
        ),
        "patches": PanelHelp(
            tr(
                "Where in the pictures of a data set a channel has its largest, median and lowest values, cropped to "
                "what it responds to. The largest alone mislead: compare them with those around the median."
            ),
            "Girshick, Donahue, Darrell and Malik 2014, Rich Feature Hierarchies",
            "https://arxiv.org/abs/1311.2524",
            "Data sets",
        ),
        "map": PanelHelp(
            tr(
                "Every picture of the data set as a point; what the layer takes for alike lies together. Principal "
                "components keep directions, t-SNE, UMAP and PaCMAP keep neighbours: distances between their groups "
                "mean nothing."
            ),
            "van der Maaten and Hinton 2008, Visualizing Data using t-SNE",
            "https://www.jmlr.org/papers/v9/vandermaaten08a.html",
            "Data sets",
        ),
        "data_set": PanelHelp(
            tr(
                "All pictures of a data set with their labels, and what the model says of each. Sort and filter them; "
                "a click opens one."
            ),
            "Northcutt, Athalye and Mueller 2021, Pervasive Label Errors in Test Sets",
            "https://arxiv.org/abs/2103.14749",
            "Data sets",
        ),
        "real_neighbours": PanelHelp(
            tr(
                "The real pictures that are nearest to the generated one, in pixels or in the scores of a classifier. "
                "If one is almost the same, the model may have memorised it."
            ),
            "Arora and Zhang 2017, Do GANs Actually Learn the Distribution?",
            "https://arxiv.org/abs/1706.08224",
            "Anatomy of a GAN.",
        ),
        "model": PanelHelp(
            tr(
                "The card of the model: task, classes, input size, preprocessing, licence, and what was assumed where "
                "the file does not say. What you correct is kept beside the weights."
            ),
            "Mitchell et al. 2019, Model Cards for Model Reporting",
            "https://arxiv.org/abs/1810.03993",
            "The card",
        ),
        "style": PanelHelp(
            tr(
                "A picture with the content of the open one and the style of another: its pixels are changed until the "
                "deep layers see the one, and the Gram matrices of all layers the other. Weights act from the next "
                "step on."
            ),
            "Gatys, Ecker and Bethge 2016, Image style transfer using convolutional neural networks",
            "https://arxiv.org/abs/1508.06576",
            "Style",
        ),
        "cycle": PanelHelp(
            tr(
                "A picture is led there by one network and back again by another: what was made, what returned, the "
                "error, and what the critic says. Noise on what was made shows whether the way back reads what is seen "
                "or a hidden message."
            ),
            "Chu, Zhmoginov and Sandler 2017, CycleGAN, a master of steganography",
            "https://arxiv.org/abs/1712.02950",
            "Cycle",
        ),
        "translate": PanelHelp(
            tr(
                "A network that returns a picture, with before and after on both sides of a line that a click moves. "
                "PSNR and SSIM compare the output with a reference."
            ),
            "Isola, Zhu, Zhou and Efros 2017, pix2pix",
            "https://arxiv.org/abs/1611.07004",
            "Picture to picture",
        ),
        "landmarks": PanelHelp(
            tr(
                "The points that the network finds in the whole picture, with their places in pixels. Each is the "
                "peak of a heat map, or a pair of numbers that the network returns."
            ),
            "Newell, Yang and Deng 2016, Stacked Hourglass Networks",
            "https://arxiv.org/abs/1603.06937",
            "Landmarks",
        ),
        "interpretation": PanelHelp(
            tr(
                "What the outputs of an unknown network are taken for, with the evidence: layout, classes, value "
                "range. Every other reading is shown as a picture, and one press takes it."
            ),
            "Redmon and Farhadi 2018, YOLOv3 (how a box is coded)",
            "https://arxiv.org/abs/1804.02767",
            "Interpretation",
        ),
        "beside": PanelHelp(
            tr(
                "A second model on the same picture with the same settings: which boxes only one of them finds, and "
                "how scores, maps and activations differ. Layers are compared by the cosine of their values."
            ),
            "Kornblith, Norouzi, Lee and Hinton 2019, Similarity of Neural Network Representations",
            "https://arxiv.org/abs/1905.00414",
            "Two models side by side.",
        ),
        "segment": PanelHelp(
            tr(
                "A class for every pixel, with the share of the picture that each class takes. Click a class to see "
                "what its pixels rest on."
            ),
            "Long, Shelhamer and Darrell 2015, Fully Convolutional Networks",
            "https://arxiv.org/abs/1411.4038",
            "Segmentation",
        ),
        "depth": PanelHelp(
            tr(
                "How far away each pixel is, as the network guesses from one picture. Some networks answer in metres, "
                "others only with nearer and farther, which is said beside the map."
            ),
            "Ranftl, Lasinger, Hafner, Schindler and Koltun 2020, MiDaS",
            "https://arxiv.org/abs/1907.01341",
            "Hugging Face folders",
        ),
    }
