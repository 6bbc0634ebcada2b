using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Forebay.Fuse;

namespace Forebay.Testing;

/// <summary>Plays the kernel for a <see cref="FuseFileSystem"/>: sends requests as messages and keeps the answers. Needs no device and no rights.</summary>
public sealed class FakeKernel : IFuseReplySink, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Dictionary<ulong, TaskCompletionSource<FuseAnswer>> _open = [];
    private readonly Dictionary<ulong, FuseAnswer> _waitedFor = [];
    private ulong _unique;

    /// <param name="fileSystem">Is asked.</param>
    /// <param name="negotiated">What a predecessor agreed on; null sends an INIT as a kernel 6.18 does.</param>
    /// <param name="observer">Sees answers and faults.</param>
    public FakeKernel(FuseFileSystem fileSystem, FuseConnection? negotiated = null, FuseObserver? observer = null)
    {
        Dispatcher = new FuseDispatcher(fileSystem, new FuseConnectionOptions(), negotiated, this, observer);
        if (negotiated is null)
        {
            byte[] init = new byte[64];
            foreach ((int at, uint value) in new[] { (0, 7U), (4, 45U), (8, 131072U), (12, 0x73fffffbU), (16, 0x5fdU) })
            {
                BitConverter.TryWriteBytes(init.AsSpan(at), value);
            }

            Ask(FuseOpcode.Init, 0, init);
        }
    }

    /// <summary>What turns the messages into calls.</summary>
    public FuseDispatcher Dispatcher { get; }

    /// <summary>Errno that the next answers are refused with; 0 takes them.</summary>
    public int RefuseWith { get; set; }

    /// <summary>Sends a request and waits for its answer.</summary>
    public FuseAnswer Ask(FuseOpcode opcode, ulong nodeId, params ReadOnlySpan<byte> arguments)
    {
        ulong unique;
        lock (_open)
        {
            unique = _unique += 2;
            _open.Add(unique, new TaskCompletionSource<FuseAnswer>());
        }

        Dispatcher.Dispatch(Message(opcode, unique, nodeId, arguments));
        lock (_open)
        {
            FuseAnswer? answer;
            while (!_waitedFor.Remove(unique, out answer))
            {
                if (!Monitor.Wait(_open, Patience))
                {
                    throw new TimeoutException($"{opcode} of node {nodeId} was not answered.");
                }
            }

            return answer;
        }
    }

    /// <summary>Sends a request with a structure and optional text after it.</summary>
    public FuseAnswer Ask<T>(FuseOpcode opcode, ulong nodeId, in T arguments, string? name = null)
        where T : unmanaged
        => Ask(opcode, nodeId, [.. Bytes(arguments), .. name is null ? [] : Name(name)]);

    /// <summary>Sends a request with a structure and does not wait.</summary>
    public Task<FuseAnswer> Begin<T>(FuseOpcode opcode, ulong nodeId, in T arguments, bool isRepeated = false)
        where T : unmanaged
        => Begin(opcode, nodeId, Bytes(arguments), isRepeated);

    /// <summary>Sends a request and does not wait.</summary>
    public Task<FuseAnswer> Begin(FuseOpcode opcode, ulong nodeId, ReadOnlySpan<byte> arguments, bool isRepeated = false)
    {
        TaskCompletionSource<FuseAnswer> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ulong unique;
        lock (_open)
        {
            _unique += 2;
            unique = _unique | (isRepeated ? 1UL << 63 : 0);
            _open.Add(unique, answer);
        }

        Dispatcher.Dispatch(Message(opcode, unique, nodeId, arguments));
        return answer.Task;
    }

    /// <summary>LOOKUP; the answer's body is an entry.</summary>
    public FuseAnswer Lookup(ulong parent, string name) => Ask(FuseOpcode.Lookup, parent, Name(name));

    /// <summary>Sends what has no answer.</summary>
    public void Tell<T>(FuseOpcode opcode, ulong nodeId, in T arguments)
        where T : unmanaged
        => Dispatcher.Dispatch(Message(opcode, 0, nodeId, Bytes(arguments)));

    /// <summary>Interrupts the request that was sent last.</summary>
    public void InterruptLast() => Tell(FuseOpcode.Interrupt, 0, _unique);

    /// <summary>A message with its header.</summary>
    public static byte[] Message(FuseOpcode opcode, ulong unique, ulong nodeId, ReadOnlySpan<byte> arguments)
    {
        FuseInHeader header = new() { Length = (uint)(Unsafe.SizeOf<FuseInHeader>() + arguments.Length), Opcode = (uint)opcode, Unique = unique, NodeId = nodeId, Pid = 4711 };
        return [.. Bytes(header), .. arguments];
    }

    /// <summary>Text with its NUL.</summary>
    public static byte[] Name(string name) => [.. System.Text.Encoding.UTF8.GetBytes(name), 0];

    /// <summary>A structure as it lies in memory.</summary>
    public static byte[] Bytes<T>(in T value)
        where T : unmanaged
        => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    int IFuseReplySink.Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body)
    {
        byte[] message = [.. head, .. body];
        if (BitConverter.ToUInt32(message) != message.Length)
        {
            throw new InvalidOperationException("An answer says another length than it has.");
        }

        lock (_open)
        {
            if (!_open.Remove(BitConverter.ToUInt64(message, 8), out TaskCompletionSource<FuseAnswer>? waiting))
            {
                return Errno.ENOENT;
            }

            FuseAnswer answer = new(-BitConverter.ToInt32(message, 4), message[16..]);
            waiting.SetResult(answer);
            _waitedFor[BitConverter.ToUInt64(message, 8)] = answer;
            Monitor.PulseAll(_open);
        }

        return RefuseWith;
    }

    public void Dispose() => Dispatcher.Dispose();
}

/// <summary>What a request was answered with.</summary>
/// <param name="Errno">0 or a positive errno.</param>
/// <param name="Body">The bytes after the header.</param>
public sealed record FuseAnswer(int Errno, byte[] Body)
{
    /// <summary>The body as a structure.</summary>
    public T As<T>()
        where T : unmanaged
        => Body.Length == Unsafe.SizeOf<T>() ? MemoryMarshal.Read<T>(Body) : throw new InvalidOperationException($"errno {Errno}, {Body.Length} bytes, not a {typeof(T).Name}");

    /// <summary>Names of an answer to READDIR.</summary>
    public IReadOnlyList<FuseName> Names() => Unpack(plus: false);

    /// <summary>Names of an answer to READDIRPLUS.</summary>
    public IReadOnlyList<FuseName> NamesPlus() => Unpack(plus: true);

    private List<FuseName> Unpack(bool plus)
    {
        List<FuseName> names = [];
        ReadOnlySpan<byte> rest = Body;
        while (!rest.IsEmpty)
        {
            FuseEntryOut entry = default;
            int head = 0;
            if (plus)
            {
                entry = MemoryMarshal.Read<FuseEntryOut>(rest);
                head = Unsafe.SizeOf<FuseEntryOut>();
            }

            ReadOnlySpan<byte> dirent = rest[head..];
            int length = BitConverter.ToInt32(dirent[16..]);
            names.Add(new FuseName(System.Text.Encoding.UTF8.GetString(dirent.Slice(24, length)), BitConverter.ToUInt64(dirent), BitConverter.ToUInt64(dirent[8..]), BitConverter.ToUInt32(dirent[20..]), entry));
            rest = rest[((head + 24 + length + 7) & ~7)..];
        }

        return names;
    }
}

/// <summary>One name of a directory as it was answered.</summary>
public sealed record FuseName(string Name, ulong Inode, ulong NextCookie, uint Type, FuseEntryOut Entry);
