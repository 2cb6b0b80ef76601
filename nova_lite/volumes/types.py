"""The one type that volumes have, as the Volume service lists it."""

TYPE_ID = "7f5a51c4-9c5c-5f6e-8a0c-3f1d5b6c2e11"
TYPE_NAME = "__DEFAULT__"
