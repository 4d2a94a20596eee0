#!/bin/sh
# What is compressed comes out again, two members are one stream, zeros at the end are padding, and
# what is cut off or damaged is not taken for whole.
set -eu
igzip=$OUT/bin/igzip
# 1000 lines "igzip works"
printf '\037\213\010\000\000\000\000\000\002\003\355\306\261\015\000\020\000\004\300\336\024\266\223\217\202\120\110\114\157\014\315\135\165\151\067\263\236\261\372\056\161\167\167\167\167\167\167\167\167\167\167\167\167\167\167\167\167\167\167\167\167\167\377\364\007\063\072\122\242\340\056\000\000' > good.gz
{ cat good.gz good.gz; printf '\000\000\000'; } > twice.gz
[ "$($igzip < good.gz | sort -u)" = "igzip works" ]
[ "$($igzip -dc < twice.gz | grep -c '^igzip works$')" -eq 2000 ]
head -c 70 good.gz > short.gz
{ head -c 66 good.gz; printf '\062\072\122\242\340\056\000\000'; } > wrong.gz
{ cat good.gz; echo garbage; } > garbage.gz
: > empty.gz
for bad in short wrong garbage empty; do
	status=0
	$igzip < $bad.gz > /dev/null 2> said || status=$?
	[ "$status" -eq 1 ] && [ "$(wc -l < said)" -eq 1 ] || { echo "igzip: $bad.gz gave status $status" >&2; exit 1; }
done
