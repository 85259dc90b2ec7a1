"""What the documentation tells administrators to write, with the names and ports of this machine in it."""

import re


class Page:
    def __init__(self, path):
        with open(path) as file:
            self.blocks = re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)

    def of(self, language):
        """All blocks in a language."""
        return [text for found, text in self.blocks if found == language]

    def block(self, language, mark, names):
        """The block in this language that has `mark` in it, with what `names` has for its names. All of them must be there."""
        [text] = [text for text in self.of(language) if mark in text]
        for name, here in names.items():
            assert name in text, f"{name} is not in the lines for {language}"
            text = text.replace(name, here)
        return text
