using System.Runtime.InteropServices;
using System.Text;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Processes;

/// <summary>Starts the processes of a mount: in sessions of their own, at the root directory, with nothing open but what they are given.</summary>
/// <remarks>posix_spawn instead of the runtime's own class: that one cannot make a session, place descriptors, or keep others from being inherited.</remarks>
internal static unsafe class ProcessSpawner
{
    /// <summary>Where a child finds its socket.</summary>
    public const int SocketDescriptor = 3;

    // The structures of glibc have 336 and 80 bytes, those of other libraries are smaller.
    private const int StructureBytes = 512;

    /// <summary>Starts a program.</summary>
    /// <param name="command">File, and its arguments, the first of which is how it is called.</param>
    /// <param name="environment"><c>NAME=value</c>, all of it.</param>
    /// <param name="socket">Becomes <see cref="SocketDescriptor"/>; stays the caller's.</param>
    /// <param name="log">Becomes standard output and error; null leaves those of this process.</param>
    /// <returns>Process id.</returns>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: it could not be started.</exception>
    public static int Start(SpawnCommand command, IReadOnlyList<string> environment, SafeFileHandle socket, SafeFileHandle? log)
    {
        byte* actions = stackalloc byte[StructureBytes];
        byte* attributes = stackalloc byte[StructureBytes];
        byte* signals = stackalloc byte[128];
        _ = Native.InitializeActions(actions);
        _ = Native.InitializeAttributes(attributes);
        byte** arguments = Allocate(command.Arguments);
        byte** variables = Allocate(environment);
        int nothing = Native.Open("/dev/null", Native.OpenReadWrite | Native.OpenCloseOnExec, 0);
        using SafeFileHandle empty = new(nothing, ownsHandle: true);
        try
        {
            // Above the numbers that are given away, so that no placing overwrites what a later one takes.
            using SafeFileHandle from = Raise(socket);
            using SafeFileHandle output = Raise(log ?? new SafeFileHandle(2, ownsHandle: false));
            _ = Native.AddDuplicate(actions, nothing, 0);
            _ = Native.AddDuplicate(actions, Number(output), 1);
            _ = Native.AddDuplicate(actions, Number(output), 2);
            _ = Native.AddDuplicate(actions, Number(from), SocketDescriptor);
            _ = Native.AddCloseFrom(actions, SocketDescriptor + 1);
            _ = Native.AddChangeDirectory(actions, "/");

            // The runtime ignores some signals and blocks others; a child begins as if a shell had started it.
            new Span<byte>(signals, 128).Clear();
            _ = Native.SetSignalMask(attributes, signals);
            new Span<byte>(signals, 128).Fill(0xff);
            _ = Native.SetSignalDefaults(attributes, signals);
            _ = Native.SetAttributeFlags(attributes, Native.SpawnSetSession | Native.SpawnSetSignalMask | Native.SpawnSetSignalDefaults);
            int process;
            int error = Native.Spawn(&process, command.File, actions, attributes, arguments, variables);
            return error == 0
                ? process
                : throw new ForebayException(ErrorKind.Unavailable, $"{command.File} cannot be started: {Marshal.GetPInvokeErrorMessage(error)}.");
        }
        finally
        {
            _ = Native.DestroyActions(actions);
            _ = Native.DestroyAttributes(attributes);
            Free(arguments);
            Free(variables);
        }
    }

    private static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    private static SafeFileHandle Raise(SafeFileHandle handle)
    {
        int raised = Native.Control(Number(handle), 1030 /* F_DUPFD_CLOEXEC */, 32);
        return raised >= 0
            ? new SafeFileHandle(raised, ownsHandle: true)
            : throw new ForebayException(ErrorKind.Unavailable, $"No descriptor is left to start a process: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
    }

    private static byte** Allocate(IReadOnlyList<string> texts)
    {
        byte** pointers = (byte**)NativeMemory.AllocZeroed((nuint)texts.Count + 1, (nuint)sizeof(byte*));
        for (int i = 0; i < texts.Count; i++)
        {
            int length = Encoding.UTF8.GetByteCount(texts[i]);
            pointers[i] = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
            Encoding.UTF8.GetBytes(texts[i], new Span<byte>(pointers[i], length));
        }

        return pointers;
    }

    private static void Free(byte** pointers)
    {
        for (int i = 0; pointers[i] is not null; i++)
        {
            NativeMemory.Free(pointers[i]);
        }

        NativeMemory.Free(pointers);
    }
}

/// <summary>A program to start.</summary>
/// <param name="File">Absolute path.</param>
/// <param name="Arguments">All arguments; the first is what the process is called. No secret: everybody can read them.</param>
internal sealed record SpawnCommand(string File, IReadOnlyList<string> Arguments);
