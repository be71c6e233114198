"""What recipes and settings may name, described without the code behind it: kinds of models, channels, types of alert rules, fields."""
