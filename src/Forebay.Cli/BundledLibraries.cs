using System.ComponentModel;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Cli;

/// <summary>
/// Native libraries of packages that the published executable carries inside, so that it is one file: nothing lies beside it, and nothing is written to a disk to
/// be loaded. One that is found where the system looks for libraries goes before.
/// </summary>
internal static partial class BundledLibraries
{
    private const uint CloseOnExec = 1;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, nint> Loaded = new(StringComparer.Ordinal);

    /// <summary>Offers them from now on. Costs nothing until one is needed.</summary>
    public static void Offer() => AssemblyLoadContext.Default.ResolvingUnmanagedDll += static (_, name) => Load(name);

    /// <summary>Loads a library from memory, once: each assembly that imports it asks, and a second copy would not know of the first.</summary>
    /// <param name="name">As its importer calls it, such as <c>e_sqlite3</c>.</param>
    /// <returns>Its handle; zero when the executable carries none of that name.</returns>
    /// <exception cref="DllNotFoundException">The system does not load code from memory.</exception>
    internal static nint Load(string name)
    {
        lock (Gate)
        {
            if (!Loaded.TryGetValue(name, out nint handle))
            {
                handle = LoadAnew(name);
                Loaded.Add(name, handle);
            }

            return handle;
        }
    }

    private static nint LoadAnew(string name)
    {
        using Stream? library = Assembly.GetExecutingAssembly().GetManifestResourceStream($"lib{name}.so");
        if (library is null)
        {
            return 0;
        }

        int descriptor = CreateMemoryFile(name, CloseOnExec);
        if (descriptor < 0)
        {
            throw Refused(name, new Win32Exception(Marshal.GetLastPInvokeError()));
        }

        using var memory = new FileStream(new SafeFileHandle(descriptor, ownsHandle: true), FileAccess.Write, bufferSize: 0);
        library.CopyTo(memory);
        try
        {
            return NativeLibrary.Load($"/proc/self/fd/{descriptor}");
        }
        catch (DllNotFoundException error)
        {
            throw Refused(name, error);
        }
    }

    private static DllNotFoundException Refused(string name, Exception error)
        => new($"'{name}' cannot be loaded from memory: {error.Message}. Put lib{name}.so beside the executable.", error);

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateMemoryFile(string name, uint flags);
}
