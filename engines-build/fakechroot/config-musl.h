/* What configure finds out about the compiler and the types of musl; build-musl.sh adds the functions and headers. */
#define PACKAGE "fakechroot"
#define HAVE___ALIGNOF__ 1
#define LSTAT_FOLLOWS_SLASHED_SYMLINK 1
#define HAVE___ATTRIBUTE__CONSTRUCTOR 1
#define HAVE___ATTRIBUTE__SECTION_DATA_FAKECHROOT 1
#define HAVE___ATTRIBUTE__VISIBILITY 1
#define BIND_TYPE_ARG2(name) const struct sockaddr * name
#define CONNECT_TYPE_ARG2(name) const struct sockaddr * name
#define GETPEERNAME_TYPE_ARG2(name) struct sockaddr * restrict name
#define GETSOCKNAME_TYPE_ARG2(name) struct sockaddr * restrict name
#define READLINK_TYPE_RETURN ssize_t
#define READLINK_TYPE_ARG3(name) size_t name
#define SCANDIR_TYPE_ARG3(name) int (* name)(const struct dirent *)
#define SCANDIR_TYPE_ARG4(name) int (* name)(const struct dirent **, const struct dirent **)
#define UTIMES_TYPE_ARG2(name) const struct timeval name [2]
