"""The channels: who gets messages by each, and how a report or message becomes one and is sent."""
