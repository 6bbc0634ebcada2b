using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane;

/// <summary>The system calls of this room. Errno is read at once by the callers, through <see cref="Marshal.GetLastPInvokeError"/>.</summary>
internal static partial class Native
{
    internal const int CloseOnExec = 0x80000; // O_CLOEXEC
    internal const int GetFileFlags = 3; // F_GETFL
    internal const int AccessModeMask = 3; // O_ACCMODE; O_RDONLY is 0

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int Control(SafeFileHandle file, int command, int argument);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    internal static partial uint EffectiveUser();
}
