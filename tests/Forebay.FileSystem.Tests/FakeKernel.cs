using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Forebay.Fuse;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Forebay.FileSystem.Tests;

/// <summary>Answer of the file system to one request.</summary>
internal sealed record Reply(int Errno, byte[] Body)
{
    internal T Read<T>(int at = 0)
        where T : unmanaged
        => MemoryMarshal.Read<T>(Body.AsSpan(at));
}

/// <summary>A name of a directory as the kernel gets it.</summary>
internal sealed record DirectoryEntry(string Name, ulong Inode, ulong Cookie, uint Type, FuseEntryOut Plus);

/// <summary>Speaks the kernel's protocol to a file system without a kernel: messages in bytes, answers in bytes.</summary>
internal sealed class FakeKernel : IFuseReplySink, IKernelCache, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<ulong, TaskCompletionSource<Reply>> _waiting = new();
    private readonly FuseDispatcher _dispatcher;
    private long _unique;
    private int _queued;
    private static int _lastBacking;

    internal FakeKernel(MountedFileSystem fileSystem, bool passthrough = false, FakeKernel? before = null)
    {
        OpenBackings = before?.OpenBackings ?? new ConcurrentDictionary<int, bool>();
        HasPassthrough = passthrough;
        var connection = new FuseConnection
        {
            Minor = 45,
            KernelMinor = 45,
            Flags = FuseInitFlags.None,
            MaxWriteBytes = 128 << 10,
            MaxReadAheadBytes = 1 << 20,
            MaxPages = 256,
            MaxBackground = 64,
            MaxStackDepth = passthrough ? 1 : 0,
        };
        _dispatcher = new FuseDispatcher(fileSystem, new FuseConnectionOptions(), connection, this, new NotingObserver(fileSystem, Faults));
        fileSystem.Connect(this);
    }

    /// <summary>As a worker's.</summary>
    private sealed class NotingObserver(MountedFileSystem fileSystem, ConcurrentQueue<string> faults) : FuseObserver
    {
        public override void Completed(in FuseCompletion completion) => fileSystem.Note(completion);

        public override void Faulted(FuseFault fault) => faults.Enqueue($"{fault.Kind}: {fault.What}");
    }

    public bool HasPassthrough { get; }

    internal ConcurrentDictionary<int, bool> OpenBackings { get; }

    internal int BackingErrno { get; set; }

    /// <summary>Thrown instead of taking a file.</summary>
    internal Exception? BackingFailure { get; set; }

    internal ConcurrentQueue<(ulong Parent, string Name)> DroppedNames { get; } = new();

    internal ConcurrentQueue<ulong> DroppedInodes { get; } = new();

    /// <summary>What the dispatcher complained of.</summary>
    internal ConcurrentQueue<string> Faults { get; } = new();

    /// <summary>Called once, before the next answer has left.</summary>
    internal Action? OnAnswer { get; set; }

    internal int Epochs { get; private set; }

    internal bool KnowsEpochs { get; set; } = true;

    /// <summary>Notifications that may wait, and what lets them go.</summary>
    internal int Queue { get; set; } = int.MaxValue;

    internal Task<bool> Drain { get; set; } = Task.FromResult(true);

    internal TimeSpan LongestWait => _dispatcher.LongestWait;

    internal ulong LastUnique => (ulong)_unique;

    public void Dispose() => _dispatcher.Dispose();

    public int Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body)
    {
        byte[] message = [.. head, .. body];
        int length = BitConverter.ToInt32(message);
        Assert.Equal(length, message.Length);
        int errno = -BitConverter.ToInt32(message, 4);
        ulong unique = BitConverter.ToUInt64(message, 8);
        Assert.True(_waiting.TryRemove(unique, out TaskCompletionSource<Reply>? waiting), "an answer to no request, or a second one");
        waiting.SetResult(new Reply(errno, message[16..]));
        (Action? then, OnAnswer) = (OnAnswer, null);
        then?.Invoke();
        return 0;
    }

    public int OpenBacking(SafeFileHandle file, out int backingId)
    {
        backingId = 0;
        if (BackingFailure is { } failure)
        {
            throw failure;
        }

        if (BackingErrno != 0)
        {
            return BackingErrno;
        }

        backingId = Interlocked.Increment(ref _lastBacking);
        OpenBackings[backingId] = true;
        return 0;
    }

    public void CloseBacking(int backingId) => Assert.True(OpenBackings.TryRemove(backingId, out _), $"backing id {backingId} was closed twice");

    public async Task<bool> DrainAsync()
    {
        bool isHeard = await Drain;
        Volatile.Write(ref _queued, 0);
        return isHeard;
    }

    public bool DropName(ulong parent, ReadOnlySpan<byte> name)
    {
        Assert.InRange(name.Length, 1, 1024);
        if (!TryQueue())
        {
            return false;
        }

        DroppedNames.Enqueue((parent, Encoding.UTF8.GetString(name)));
        return true;
    }

    public bool DropInode(ulong nodeId)
    {
        if (!TryQueue())
        {
            return false;
        }

        DroppedInodes.Enqueue(nodeId);
        return true;
    }

    public bool ExpireAllNames()
    {
        bool isTold = KnowsEpochs && TryQueue();
        Epochs += isTold ? 1 : 0;
        return isTold;
    }

    private bool TryQueue() => Interlocked.Increment(ref _queued) <= Queue;

    /// <summary>Sends a request and waits for its answer.</summary>
    internal Reply Ask(FuseOpcode opcode, ulong nodeId, ReadOnlySpan<byte> arguments, ulong unique = 0)
    {
        Task<Reply> reply = Start(opcode, nodeId, arguments, unique);
#pragma warning disable VSTHRD002 // The answer comes from a thread that waits for nobody here.
        Assert.True(reply.Wait(Patience), $"{opcode} of nodeid {nodeId} was not answered in {Patience}");
        return reply.Result;
#pragma warning restore VSTHRD002
    }

    internal Task<Reply> Start(FuseOpcode opcode, ulong nodeId, ReadOnlySpan<byte> arguments, ulong unique = 0)
    {
        unique = unique == 0 ? (ulong)Interlocked.Add(ref _unique, 2) : unique;
        var waiting = new TaskCompletionSource<Reply>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[unique] = waiting;
        var header = new FuseInHeader { Length = (uint)(40 + arguments.Length), Opcode = (uint)opcode, Unique = unique, NodeId = nodeId };
        byte[] message = new byte[header.Length];
        MemoryMarshal.Write(message, header);
        arguments.CopyTo(message.AsSpan(40));
        _dispatcher.Dispatch(message);
        return waiting.Task;
    }

    internal Reply Lookup(ulong parent, string name, ulong unique = 0) => Ask(FuseOpcode.Lookup, parent, Encoding.UTF8.GetBytes(name + "\0"), unique);

    /// <summary>Looks a path up from the root, name by name.</summary>
    internal FuseEntryOut Walk(string path)
    {
        FuseEntryOut entry = default;
        ulong parent = 1;
        foreach (string name in path.Split('/'))
        {
            Reply reply = Lookup(parent, name);
            Assert.True(reply.Errno == 0, $"'{name}' of '{path}': errno {reply.Errno}");
            entry = reply.Read<FuseEntryOut>();
            Assert.True(entry.NodeId != 0, $"'{name}' of '{path}' does not exist");
            parent = entry.NodeId;
        }

        return entry;
    }

    internal void Forget(ulong nodeId, ulong lookups)
    {
        Span<byte> message = stackalloc byte[48];
        MemoryMarshal.Write(message, new FuseInHeader { Length = 48, Opcode = (uint)FuseOpcode.Forget, Unique = (ulong)Interlocked.Add(ref _unique, 2), NodeId = nodeId });
        MemoryMarshal.Write(message[40..], lookups);
        _dispatcher.Dispatch(message);
    }

    internal Reply Open(ulong nodeId, bool directory = false, uint flags = 0, ulong unique = 0)
        => Ask(directory ? FuseOpcode.OpenDirectory : FuseOpcode.Open, nodeId, Bytes(new FuseOpenIn { Flags = flags }), unique);

    /// <summary>The program that waits for a request gets a signal.</summary>
    internal void Interrupt(ulong unique)
    {
        Span<byte> message = stackalloc byte[48];
        MemoryMarshal.Write(message, new FuseInHeader { Length = 48, Opcode = (uint)FuseOpcode.Interrupt, Unique = unique | 1 });
        MemoryMarshal.Write(message[40..], unique);
        _dispatcher.Dispatch(message);
    }

    internal void Release(ulong nodeId, ulong handle, bool directory = false)
        => Assert.Equal(0, Ask(directory ? FuseOpcode.ReleaseDirectory : FuseOpcode.Release, nodeId, Bytes(new FuseReleaseIn { Handle = handle })).Errno);

    internal Reply Read(ulong nodeId, ulong handle, long offset, int size)
        => Ask(FuseOpcode.Read, nodeId, Bytes(new FuseReadIn { Handle = handle, Offset = (ulong)offset, Size = (uint)size }));

    internal List<DirectoryEntry> ReadSome(ulong nodeId, ulong handle, ulong cookie, int size, bool plus)
    {
        Reply reply = Ask(plus ? FuseOpcode.ReadDirectoryPlus : FuseOpcode.ReadDirectory, nodeId, Bytes(new FuseReadIn { Handle = handle, Offset = cookie, Size = (uint)size }));
        Assert.Equal(0, reply.Errno);
        Assert.True(reply.Body.Length <= size, "more than there is room for");
        var entries = new List<DirectoryEntry>();
        for (int at = 0; at < reply.Body.Length;)
        {
            FuseEntryOut entry = default;
            if (plus)
            {
                entry = reply.Read<FuseEntryOut>(at);
                at += 128;
            }

            int length = reply.Read<int>(at + 16);
            entries.Add(new DirectoryEntry(Encoding.UTF8.GetString(reply.Body, at + 24, length), reply.Read<ulong>(at), reply.Read<ulong>(at + 8), reply.Read<uint>(at + 20), entry));
            at = (at + 24 + length + 7) & ~7;
        }

        return entries;
    }

    /// <summary>Reads a directory to its end.</summary>
    internal List<DirectoryEntry> List(ulong nodeId, bool plus = false, int size = 4096)
    {
        ulong handle = Open(nodeId, directory: true).Read<FuseOpenOut>().Handle;
        var all = new List<DirectoryEntry>();
        ulong cookie = 0;
        while (ReadSome(nodeId, handle, cookie, size, plus) is { Count: > 0 } some)
        {
            all.AddRange(some);
            cookie = some[^1].Cookie;
        }

        Release(nodeId, handle, directory: true);
        return all;
    }

    internal static byte[] Bytes<T>(T value)
        where T : unmanaged
    {
        byte[] bytes = new byte[Marshal.SizeOf<T>()];
        MemoryMarshal.Write(bytes, value);
        return bytes;
    }
}
