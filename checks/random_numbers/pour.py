"""Words without end to standard output, for batteries that read a pipe: `python -m checks.random_numbers.pour ORDER VIEW FIRST`.

ORDER is a number in the list of orders, VIEW one in the list of views, FIRST the first particle; 32-bit words, little-endian.
"""

import sys

from checks.random_numbers.streams import ORDERS, VIEWS, Stream

if __name__ == "__main__":
    order, view = ORDERS[int(sys.argv[1])]._replace(first=int(sys.argv[3])), list(VIEWS.values())[int(sys.argv[2])]
    stream = Stream(order)
    try:
        while True:
            sys.stdout.buffer.write(view(stream.words()).data)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has had enough
