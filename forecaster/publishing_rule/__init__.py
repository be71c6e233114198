"""The publishing rule: what is published, made from the forecasts of a recipe's members.

- `standing`: what stands for a day, and which source decides: a person, learnt weights, the package's weights
- `combination`: how the members' probabilities are combined with weights
- `weight_learning`: how the weights are learnt from verified days
- `weights`: the sets of weights that come with the package, or that this installation has trained
"""
