"""Small networks as students and their tutorials write them, to save and open again. No test here."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as f


class Udacity(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.t_conv1 = nn.ConvTranspose2d(4, 16, 2, stride=2)
        self.t_conv2 = nn.ConvTranspose2d(16, 1, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(f.relu(self.conv1(x)))
        x = self.pool(f.relu(self.conv2(x)))
        return torch.sigmoid(self.t_conv2(f.relu(self.t_conv1(x))))


class UdacityDenoise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 16, 3, padding=1)
        self.conv3 = nn.Conv2d(16, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.t_conv1 = nn.ConvTranspose2d(8, 8, 3, stride=2)
        self.t_conv2 = nn.ConvTranspose2d(8, 16, 2, stride=2)
        self.t_conv3 = nn.ConvTranspose2d(16, 32, 2, stride=2)
        self.conv_out = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        for c in (self.conv1, self.conv2, self.conv3):
            x = self.pool(f.relu(c(x)))
        for c in (self.t_conv1, self.t_conv2, self.t_conv3):
            x = f.relu(c(x))
        return torch.sigmoid(self.conv_out(x))


class MLPAE(nn.Module):
    def __init__(self, last: type[nn.Module] = nn.Sigmoid) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, 128),
            nn.ReLU(),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Linear(64, 12),
            nn.ReLU(),
            nn.Linear(12, 3),
        )
        self.decoder = nn.Sequential(
            nn.Linear(3, 12),
            nn.ReLU(),
            nn.Linear(12, 64),
            nn.ReLU(),
            nn.Linear(64, 128),
            nn.ReLU(),
            nn.Linear(128, 784),
            last(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x.flatten(1))).view_as(x)


class ConvAE7(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 7),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 7),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class L1AE(nn.Module):  # liao's pytorch-beginner conv AE
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2, stride=2),
            nn.Conv2d(16, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2, stride=1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(8, 16, 3, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 5, stride=3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 2, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class CifarAE(nn.Module):  # chenjie
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 12, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(12, 24, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, 48, 4, stride=2, padding=1),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(48, 24, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(24, 12, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(12, 3, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class STN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)
        self.localization = nn.Sequential(
            nn.Conv2d(1, 8, 7),
            nn.MaxPool2d(2, 2),
            nn.ReLU(True),
            nn.Conv2d(8, 10, 5),
            nn.MaxPool2d(2, 2),
            nn.ReLU(True),
        )
        self.fc_loc = nn.Sequential(nn.Linear(90, 32), nn.ReLU(True), nn.Linear(32, 6))
        self.fc_loc[2].bias.data.copy_(torch.tensor([1, 0, 0, 0, 1, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        t = self.fc_loc(self.localization(x).view(-1, 90)).view(-1, 2, 3)
        x = f.grid_sample(x, f.affine_grid(t, x.size(), align_corners=False), align_corners=False)
        x = f.relu(f.max_pool2d(self.conv1(x), 2))
        x = f.relu(f.max_pool2d(self.conv2(x), 2))
        x = f.relu(self.fc1(x.view(-1, 320)))
        return f.log_softmax(self.fc2(x), 1)


class VQ(nn.Module):  # zalando notebook
    class Res(nn.Module):
        def __init__(self, i: int, h: int, r: int) -> None:
            super().__init__()
            self._block = nn.Sequential(
                nn.ReLU(True), nn.Conv2d(i, r, 3, 1, 1, bias=False), nn.ReLU(True), nn.Conv2d(r, h, 1, bias=False)
            )

        def forward(self, x: Tensor) -> Tensor:
            return x + self._block(x)

    class Stack(nn.Module):
        def __init__(self, i: int, h: int, n: int, r: int) -> None:
            super().__init__()
            self._layers = nn.ModuleList([VQ.Res(i, h, r) for _ in range(n)])

        def forward(self, x: Tensor) -> Tensor:
            for one in self._layers:
                x = one(x)
            return f.relu(x)

    class Enc(nn.Module):
        def __init__(self, h: int = 8) -> None:
            super().__init__()
            self._conv_1 = nn.Conv2d(3, h // 2, 4, 2, 1)
            self._conv_2 = nn.Conv2d(h // 2, h, 4, 2, 1)
            self._conv_3 = nn.Conv2d(h, h, 3, 1, 1)
            self._residual_stack = VQ.Stack(h, h, 2, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self._residual_stack(self._conv_3(f.relu(self._conv_2(f.relu(self._conv_1(x))))))

    class Dec(nn.Module):
        def __init__(self, d: int, h: int = 8) -> None:
            super().__init__()
            self._conv_1 = nn.Conv2d(d, h, 3, 1, 1)
            self._residual_stack = VQ.Stack(h, h, 2, 4)
            self._conv_trans_1 = nn.ConvTranspose2d(h, h // 2, 4, 2, 1)
            self._conv_trans_2 = nn.ConvTranspose2d(h // 2, 3, 4, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self._conv_trans_2(f.relu(self._conv_trans_1(self._residual_stack(self._conv_1(x)))))

    class Q(nn.Module):
        def __init__(self, k: int, d: int) -> None:
            super().__init__()
            self.register_buffer("_ema_cluster_size", torch.zeros(k))
            self._ema_w = nn.Parameter(torch.randn(k, d))
            self._embedding = nn.Embedding(k, d)

    def __init__(self) -> None:
        super().__init__()
        self._encoder = VQ.Enc()
        self._pre_vq_conv = nn.Conv2d(8, 6, 1)
        self._vq_vae = VQ.Q(16, 6)
        self._decoder = VQ.Dec(6)

    def forward(self, x: Tensor) -> Tensor:
        z = self._pre_vq_conv(self._encoder(x)).permute(0, 2, 3, 1)
        w = self._vq_vae._embedding.weight
        i = torch.cdist(z.reshape(-1, 6), w).argmin(1)
        return self._decoder(w[i].view(z.shape).permute(0, 3, 1, 2))


class AntixCVAE(nn.Module):
    def __init__(self, k: int = 10, d: int = 8, hd: tuple[int, ...] = (4, 8, 8, 16), side: int = 32) -> None:
        super().__init__()
        self.embed_class = nn.Linear(k, side * side)
        self.embed_data = nn.Conv2d(3, 3, 1)
        m = []
        c = 4
        for h in hd:
            m.append(nn.Sequential(nn.Conv2d(c, h, 3, 2, 1), nn.BatchNorm2d(h), nn.LeakyReLU()))
            c = h
        self.encoder = nn.Sequential(*m)
        self.fc_mu = nn.Linear(c * 4, d)
        self.fc_var = nn.Linear(c * 4, d)
        self.decoder_input = nn.Linear(d + k, c * 4)
        r = hd[::-1]
        self.decoder = nn.Sequential(
            *[
                nn.Sequential(nn.ConvTranspose2d(a, b, 3, 2, 1, 1), nn.BatchNorm2d(b), nn.LeakyReLU())
                for a, b in itertools.pairwise(r)
            ]
        )
        self.final_layer = nn.Sequential(
            nn.ConvTranspose2d(r[-1], r[-1], 3, 2, 1, 1),
            nn.BatchNorm2d(r[-1]),
            nn.LeakyReLU(),
            nn.Conv2d(r[-1], 3, 3, padding=1),
            nn.Tanh(),
        )
        self.k = k
        self.d = d
        self.c = c

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        x = self.decoder_input(torch.cat([z, y], 1)).view(-1, self.c, 2, 2)
        return self.final_layer(self.decoder(x))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.eye(self.k)[torch.arange(len(x)) % self.k]
        e = self.encoder(torch.cat([self.embed_data(x), self.embed_class(y).view(-1, 1, *x.shape[2:])], 1)).flatten(1)
        return self.decode(self.fc_mu(e), y)


class CDCGAN(nn.Module):  # znxlwm
    def __init__(self, d: int = 4) -> None:
        super().__init__()
        self.deconv1_1 = nn.ConvTranspose2d(100, d * 2, 4, 1, 0)
        self.deconv1_1_bn = nn.BatchNorm2d(d * 2)
        self.deconv1_2 = nn.ConvTranspose2d(10, d * 2, 4, 1, 0)
        self.deconv1_2_bn = nn.BatchNorm2d(d * 2)
        self.deconv2 = nn.ConvTranspose2d(d * 4, d * 2, 4, 2, 1)
        self.deconv2_bn = nn.BatchNorm2d(d * 2)
        self.deconv3 = nn.ConvTranspose2d(d * 2, d, 4, 2, 1)
        self.deconv3_bn = nn.BatchNorm2d(d)
        self.deconv4 = nn.ConvTranspose2d(d, 1, 4, 2, 1)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        x = f.relu(self.deconv1_1_bn(self.deconv1_1(z)))
        y = f.relu(self.deconv1_2_bn(self.deconv1_2(y)))
        x = torch.cat([x, y], 1)
        x = f.relu(self.deconv2_bn(self.deconv2(x)))
        x = f.relu(self.deconv3_bn(self.deconv3(x)))
        return torch.tanh(self.deconv4(x))


class WGANGP(nn.Module):  # caogang mnist
    def __init__(self, d: int = 4) -> None:
        super().__init__()
        self.d = d
        self.preprocess = nn.Sequential(nn.Linear(128, 16 * 4 * d), nn.ReLU(True))
        self.block1 = nn.Sequential(nn.ConvTranspose2d(4 * d, 2 * d, 5), nn.ReLU(True))
        self.block2 = nn.Sequential(nn.ConvTranspose2d(2 * d, d, 5), nn.ReLU(True))
        self.deconv_out = nn.ConvTranspose2d(d, 1, 8, stride=2)

    def forward(self, z: Tensor) -> Tensor:
        x = self.preprocess(z).view(-1, 4 * self.d, 4, 4)
        x = self.block1(x)[:, :, :7, :7]
        x = self.block2(x)
        return torch.sigmoid(self.deconv_out(x))


class WGANGPCifar(nn.Module):
    def __init__(self, d: int = 4) -> None:
        super().__init__()
        self.d = d
        self.preprocess = nn.Sequential(nn.Linear(128, 16 * 4 * d), nn.BatchNorm1d(16 * 4 * d), nn.ReLU(True))
        self.block1 = nn.Sequential(nn.ConvTranspose2d(4 * d, 2 * d, 2, stride=2), nn.BatchNorm2d(2 * d), nn.ReLU(True))
        self.block2 = nn.Sequential(nn.ConvTranspose2d(2 * d, d, 2, stride=2), nn.BatchNorm2d(d), nn.ReLU(True))
        self.deconv_out = nn.ConvTranspose2d(d, 3, 2, stride=2)

    def forward(self, z: Tensor) -> Tensor:
        x = self.preprocess(z).view(-1, 4 * self.d, 4, 4)
        return torch.tanh(self.deconv_out(self.block2(self.block1(x))))


class LucidViT(nn.Module):
    def __init__(self, dim: int = 16, depth: int = 2, heads: int = 2, mlp: int = 32, dh: int = 8) -> None:
        super().__init__()
        patch, side, k = 4, 32, 10
        self.p = patch
        self.h = heads
        self.dh = dh
        n = (side // patch) ** 2
        pd = 3 * patch * patch

        class Re(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                b, c, hh, ww = x.shape
                return x.view(b, c, hh // patch, patch, ww // patch, patch).permute(0, 2, 4, 3, 5, 1).reshape(b, n, pd)

        self.to_patch_embedding = nn.Sequential(Re(), nn.LayerNorm(pd), nn.Linear(pd, dim), nn.LayerNorm(dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, n + 1, dim))
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))

        class Att(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.norm = nn.LayerNorm(dim)
                self.to_qkv = nn.Linear(dim, heads * dh * 3, bias=False)
                self.to_out = nn.Sequential(nn.Linear(heads * dh, dim), nn.Dropout(0.0))

            def forward(self, x: Tensor) -> Tensor:
                a, b, c = (t.unflatten(2, (heads, dh)).transpose(1, 2) for t in self.to_qkv(self.norm(x)).chunk(3, -1))
                return self.to_out(f.scaled_dot_product_attention(a, b, c).transpose(1, 2).flatten(2))

        class FF(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.net = nn.Sequential(
                    nn.LayerNorm(dim),
                    nn.Linear(dim, mlp),
                    nn.GELU(),
                    nn.Dropout(0.0),
                    nn.Linear(mlp, dim),
                    nn.Dropout(0.0),
                )

            def forward(self, x: Tensor) -> Tensor:
                return self.net(x)

        class T(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.norm = nn.LayerNorm(dim)
                self.layers = nn.ModuleList([nn.ModuleList([Att(), FF()]) for _ in range(depth)])

            def forward(self, x: Tensor) -> Tensor:
                for a, b in self.layers:
                    x = a(x) + x
                    x = b(x) + x
                return self.norm(x)

        self.transformer = T()
        self.mlp_head = nn.Linear(dim, k)

    def forward(self, x: Tensor) -> Tensor:
        x = self.to_patch_embedding(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embedding
        return self.mlp_head(self.transformer(x)[:, 0])


class BubbleUNet(nn.Module):  # vgg
    def __init__(self, k: int = 3, c: tuple[int, ...] = (4, 8, 8, 16, 16)) -> None:
        super().__init__()
        layers = []
        i = 3
        for v in (
            c[0],
            c[0],
            "M",
            c[1],
            c[1],
            "M",
            c[2],
            c[2],
            c[2],
            "M",
            c[3],
            c[3],
            c[3],
            "M",
            c[4],
            c[4],
            c[4],
            "M",
        ):
            if v == "M":
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(i, v, 3, padding=1), nn.ReLU(True)]
                i = v

        class V(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.features = nn.Sequential(*layers)

        self.vgg = V()

        class Up(nn.Module):
            def __init__(self, a: int, b: int) -> None:
                super().__init__()
                self.conv1 = nn.Conv2d(a, b, 3, padding=1)
                self.conv2 = nn.Conv2d(b, b, 3, padding=1)

            def forward(self, x: Tensor, y: Tensor) -> Tensor:
                x = torch.cat([x, f.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True)], 1)
                return f.relu(self.conv2(f.relu(self.conv1(x))))

        self.up_concat4 = Up(c[3] + c[4], c[3])
        self.up_concat3 = Up(c[2] + c[3], c[2])
        self.up_concat2 = Up(c[1] + c[2], c[1])
        self.up_concat1 = Up(c[0] + c[1], c[0])
        self.final = nn.Conv2d(c[0], k, 1)

    def forward(self, x: Tensor) -> Tensor:
        f = self.vgg.features
        a = f[:4](x)
        b = f[4:9](a)
        c = f[9:16](b)
        d = f[16:23](c)
        e = f[23:-1](d)
        u = self.up_concat4(d, e)
        u = self.up_concat3(c, u)
        u = self.up_concat2(b, u)
        return self.final(self.up_concat1(a, u))


class NNUNet(nn.Module):
    def __init__(self, i: int = 1, k: int = 3, widths: tuple[int, ...] = (4, 8, 16)) -> None:
        super().__init__()

        class Blk(nn.Module):
            def __init__(self, a: int, b: int, st: int) -> None:
                super().__init__()
                self.conv = nn.Conv2d(a, b, 3, st, 1)
                self.norm = nn.InstanceNorm2d(b, affine=True)
                self.nonlin = nn.LeakyReLU(inplace=True)
                self.all_modules = nn.Sequential(self.conv, self.norm, self.nonlin)

            def forward(self, x: Tensor) -> Tensor:
                return self.all_modules(x)

        class St(nn.Module):
            def __init__(self, a: int, b: int, st: int) -> None:
                super().__init__()
                self.convs = nn.Sequential(Blk(a, b, st), Blk(b, b, 1))

            def forward(self, x: Tensor) -> Tensor:
                return self.convs(x)

        self.encoder = nn.Module()
        st = []
        c = i
        for n, w in enumerate(widths):
            st.append(nn.Sequential(St(c, w, 1 if n == 0 else 2)))
            c = w
        self.encoder.stages = nn.Sequential(*st)
        d = nn.Module()
        d.encoder = self.encoder
        d.stages = nn.ModuleList([St(2 * a, a, 1) for a in widths[:-1][::-1]])
        d.transpconvs = nn.ModuleList(
            [nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(widths[:-1][::-1], widths[::-1], strict=False)]
        )
        d.seg_layers = nn.ModuleList([nn.Conv2d(a, k, 1) for a in widths[:-1][::-1]])
        self.decoder = d

    def forward(self, x: Tensor) -> Tensor:
        m = []
        for st in self.encoder.stages:
            x = st(x)
            m.append(x)
        x = m.pop()
        for t, st in zip(self.decoder.transpconvs, self.decoder.stages, strict=False):
            x = st(torch.cat([t(x), m.pop()], 1))
        return self.decoder.seg_layers[-1](x)
