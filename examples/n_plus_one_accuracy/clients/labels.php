<?php
// Scenarios of a PHP client: a name each, and what is known to happen in it.
// `program list` prints the names; `program run NAME FILE` runs one and writes
// its labels. N is reckoned from the rows, by whoever wrote the loop.

const THRESHOLD = 5;
$scenarios = [];
$labels = '';

function scenario(string $name, callable $page): void
{
    $GLOBALS['scenarios'][$name] = $page;
}

/** The child is asked n times for rows of the parent; both are pieces of their texts. */
function expect_loop(string $parent, string $child, int $n): void
{
    if ($n >= THRESHOLD) {
        $GLOBALS['labels'] .= "loop\t$parent\t$child\t$n\n";
    }
}

function expect_repeat(string $kind, int $n): void
{
    $GLOBALS['labels'] .= "repeat\t$kind\t$n\n";
}

function main(array $words, string $versions): void
{
    if ($words[1] === 'list') {
        echo "version\t$versions\n";
        foreach (array_keys($GLOBALS['scenarios']) as $name) {
            echo "scenario\t$name\n";
        }
        return;
    }
    $GLOBALS['scenarios'][$words[2]]();
    file_put_contents($words[3], $GLOBALS['labels']);
}
