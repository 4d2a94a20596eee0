#!/bin/sh
# What is compressed comes out again, two members are one stream, zeros at the end are padding, and
# what is cut off or damaged is not taken for whole.
set -eu
igzip="${RUN-} $OUT/bin/igzip"
yes "igzip works" | head -n 1000 | gzip -9n > good.gz
{ cat good.gz good.gz; printf '\000\000\000'; } > twice.gz
[ "$($igzip < good.gz | sort -u)" = "igzip works" ]
[ "$($igzip -dc < twice.gz | grep -c '^igzip works$')" -eq 2000 ]
head -c -4 good.gz > short.gz
{ head -c -8 good.gz; printf '1234\340\056\000\000'; } > wrong.gz
{ cat good.gz; echo garbage; } > garbage.gz
: > empty.gz
for bad in short wrong garbage empty; do
	status=0
	$igzip < $bad.gz > /dev/null 2> said || status=$?
	[ "$status" -eq 1 ] && [ "$(wc -l < said)" -eq 1 ] || { echo "igzip: $bad.gz gave status $status" >&2; exit 1; }
done
