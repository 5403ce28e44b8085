"""Plain Python of several kinds for the bench: loops, calls, methods, strings, lists, dictionaries. Prints what it computed."""


class Vector:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def plus(self, other):
        return Vector(self.x + other.x, self.y - other.y)


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def primes(limit):
    marks = [True] * limit
    for n in range(2, int(limit**0.5) + 1):
        if marks[n]:
            for multiple in range(n * n, limit, n):
                marks[multiple] = False
    return sum(marks[2:])


def words(count):
    found = {}
    for n in range(count):
        word = "w%d" % (n * 7919 % 997)
        found[word] = found.get(word, 0) + len(word)
    return sum(value * len(key) for key, value in sorted(found.items()))


def vectors(count):
    total = Vector(0, 0)
    for n in range(count):
        total = total.plus(Vector(n & 15, n % 7))
    return total.x * 31 + total.y


def logistic(steps):
    x = 0.5
    for _ in range(steps):
        x = 3.7 * x * (1.0 - x)
    return "%.6f" % x if steps < 40 else "%d" % (x < 1)


# Some five seconds where it is translated, half a second where it is not.
for _ in range(8):
    print(fibonacci(20), primes(100000), words(40000), vectors(50000), logistic(150000))
