"""The attribution methods, one file each: a frozen `Params` and a decorated `attribute(probe, params) -> Heatmap`."""
