"""The first system, kept to be compared with: its ConvLSTM (kind `convlstm`, one network for each region, retrained with the others), its
grids, its resampling with the correction of the prior, its calibration.

Its recipes lie in `recipes/first_system/`. QUAKECAST_FIRST_SYSTEM=false leaves out the recipes and the kind (`pipeline.recipes_in_use`);
what is stored of them stays. The rest of the project knows the room by the kind's entry in `registry.model_kinds`; the JSON files of the
first system's map UI show their cells by its `daily_grid`.
"""
