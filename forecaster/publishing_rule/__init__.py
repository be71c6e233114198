"""The publishing rule: what is published, made from the forecasts of a recipe's members.

- `publishing_rule`: the interface of a rule; `registry.publishing_rules` lists the rules
- `learnt_weights`: the default rule: how weights are learnt from verified days
- `combination`: how the members' probabilities are combined with weights; `combined_model`: the same as a model
- `weights`: the sets of weights that come with the package, or that this installation has trained
- `blend`: what is published on a day, and which source decides: a person, learnt weights, the package's weights
"""
