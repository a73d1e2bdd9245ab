"""A shop's stock, with holes to fill."""


class Product:
    def __init__(self, name, price, quantity):
        self.name = name
        self.price = price
        self.quantity =

    def total(self):
        """What all of it is worth."""
        pass

    def is_available(self):
        ...


def cheapest(products):
    return min(products, key=lambda product: product.price)
