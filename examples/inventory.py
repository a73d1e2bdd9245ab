"""A shop's inventory: items with a price and a quantity, and reports on them.

The last line is unfinished: `raise`. Ask for the rest of it:

    infill-ls complete examples/inventory.py --at 69:18

A reader can judge the answer: `remove` above refuses a name that it does not know, too.
"""


class Item:
    """One kind of thing on the shelf."""

    def __init__(self, name, price, quantity):
        self.name = name
        self.price = price
        self.quantity = quantity

    def total(self):
        return self.price * self.quantity

    def add(self, quantity):
        self.quantity = self.quantity + quantity

    def remove(self, quantity):
        self.quantity = self.quantity - quantity

    def report(self):
        return f"{self.name}: {self.quantity} at {self.price:.2f}"


class Inventory:
    """All the items of one shop, by name."""

    def __init__(self, shop):
        self.shop = shop
        self.items = {}

    def add(self, name, price, quantity):
        if name in self.items:
            self.items[name].add(quantity)
        else:
            self.items[name] = Item(name, price, quantity)

    def remove(self, name, quantity):
        if name not in self.items:
            raise KeyError(name)
        self.items[name].remove(quantity)

    def restock(self, minimum):
        """Bring every item up to the minimum; return the names of those that were below it."""
        names = []
        for item in self.items.values():
            if item.quantity < minimum:
                names.append(item.name)
                item.add(minimum - item.quantity)
        return names

    def total(self):
        return sum(item.total() for item in self.items.values())

    def report(self):
        lines = [item.report() for item in self.items.values()]
        lines.append(f"total: {self.total():.2f}")
        return "\n".join(lines)

    def take(self, name, quantity):
        if name not in self.items:
            raise
