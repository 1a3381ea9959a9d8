/* TestU01's SmallCrush or Crush on 32-bit words from standard input: testu01 small|crush; prints "p-value, tab, test" lines. */
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <unif01.h>
#include <swrite.h>
#include <bbattery.h>

#define ROOM 65536

static unsigned int next(void)
{
    static unsigned int words[ROOM];
    static size_t place = 0, have = 0;
    if (place == have) {
        have = fread(words, sizeof words[0], ROOM, stdin);
        place = 0;
        if (have == 0) {
            fprintf(stderr, "the words have ended\n");
            exit(1);
        }
    }
    return words[place++];
}

int main(int argc, char **argv)
{
    unif01_Gen *generator = unif01_CreateExternGenBits("simdyn", next);
    int test;
    swrite_Basic = FALSE;
    if (argc > 1 && strcmp(argv[1], "crush") == 0)
        bbattery_Crush(generator);
    else
        bbattery_SmallCrush(generator);
    for (test = 0; test < bbattery_NTests; test++)
        if (bbattery_pVal[test] >= 0.0) /* -1: not done */
            printf("%.17g\t%s\n", bbattery_pVal[test], bbattery_TestNames[test]);
    unif01_DeleteExternGenBits(generator);
    return 0;
}
