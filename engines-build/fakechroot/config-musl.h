/* What upstream's configure would find out about musl and the compiler; build-musl.sh adds the functions. */

#define PACKAGE "fakechroot"
#define FAKECHROOT VERSION      /* a string: -DVERSION */

#define HAVE_ALLOCA_H 1
#define HAVE_DIRENT_H 1
#define HAVE_SYS_MOUNT_H 1
#define HAVE_SYS_PARAM_H 1
#define HAVE_SYS_STATFS_H 1
#define HAVE_SYS_SYSCALL_H 1
#define HAVE_SYS_VFS_H 1
#define HAVE_STRUCT_DIRENT_D_RECLEN 1
#define HAVE___ALIGNOF__ 1
#define HAVE___ATTRIBUTE__CONSTRUCTOR 1
#define HAVE___ATTRIBUTE__SECTION_DATA_FAKECHROOT 1
#define HAVE___ATTRIBUTE__VISIBILITY 1
#define LSTAT_FOLLOWS_SLASHED_SYMLINK 1

#define BIND_TYPE_ARG2(_) const struct sockaddr * _
#define CONNECT_TYPE_ARG2(_) const struct sockaddr * _
#define GETPEERNAME_TYPE_ARG2(_) struct sockaddr * restrict _
#define GETSOCKNAME_TYPE_ARG2(_) struct sockaddr * restrict _
#define READLINK_TYPE_RETURN ssize_t
#define READLINK_TYPE_ARG3(_) size_t _
#define SCANDIR_TYPE_ARG3(_) int (*_)(const struct dirent *)
#define SCANDIR_TYPE_ARG4(_) int (*_)(const struct dirent **, const struct dirent **)
#define UTIMES_TYPE_ARG2(_) const struct timeval _[2]

