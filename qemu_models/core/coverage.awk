# SPDX-License-Identifier: GPL-2.0-or-later
# Sums up what gcov -b -c -n prints: percentages of lines and branches a file, then of all.
# A header's inline functions are counted in each file that uses them, so headers are left out.

function share(hit, all) { return all ? 100 * hit / all : 100 }

/^File / {
    file = $2
    gsub(/'/, "", file)
    wanted = file ~ /^[a-z_]+\.c$/
}
# The sum over all files has no name before it.
/^(Calls executed|No calls)/ { wanted = 0 }
wanted && /^Lines executed/ {
    n = $NF
    split($2, p, /[:%]/)
    lines[file] = n
    line_hits[file] = p[2] * n / 100
}
wanted && /^Taken at least once/ {
    n = $NF
    split($4, p, /[:%]/)
    branches[file] = n
    branch_hits[file] = p[2] * n / 100
}
END {
    for (file in lines) {
        printf "%-12s lines %5.1f %% of %4d  branches %5.1f %% of %4d\n", file,
            share(line_hits[file], lines[file]), lines[file],
            share(branch_hits[file], branches[file]), branches[file] | "sort"
        all_lines += lines[file]
        all_line_hits += line_hits[file]
        all_branches += branches[file]
        all_branch_hits += branch_hits[file]
    }
    close("sort")
    printf "%-12s lines %5.1f %% of %4d  branches %5.1f %% of %4d\n", "total",
        share(all_line_hits, all_lines), all_lines,
        share(all_branch_hits, all_branches), all_branches
    if (!all_lines) {
        print "no counts from gcov"
        exit 1
    }
}
