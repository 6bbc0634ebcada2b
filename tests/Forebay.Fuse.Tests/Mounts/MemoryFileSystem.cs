using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Fuse.Tests.Mounts;

/// <summary>A small file system in memory. Nodeids are fixed by the tree, so that a second instance with the same tree is a successor.</summary>
internal sealed class MemoryFileSystem : FuseFileSystem
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Node> _nodes = [];

    internal MemoryFileSystem()
    {
        _nodes.Add(1, new Node(1, 1, "", FuseMode.Directory | 0x1ED, []));
    }

    internal TimeSpan Validity { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Where reads of files named <c>hang*</c> stay until released.</summary>
    internal TaskCompletionSource<FuseRequest> Hanging { get; private set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal bool Hangs { get; set; } = true;

    internal bool SawRepeated { get; private set; }

    internal long Forgotten;

    internal FuseDevice? Device { get; set; }

    /// <summary>What the nodes' backing files are; used for passthrough.</summary>
    internal Dictionary<ulong, SafeFileHandle> Backing { get; } = [];

    internal int BackingErrno { get; private set; }

    internal TaskCompletionSource IsDisconnected { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal ulong Add(ulong parent, string name, byte[] content, uint mode = FuseMode.File | 0x1A4)
    {
        lock (_lock)
        {
            ulong id = (ulong)_nodes.Count + 1;
            _nodes.Add(id, new Node(id, parent, name, mode, content));
            return id;
        }
    }

    internal ulong AddDirectory(ulong parent, string name) => Add(parent, name, [], FuseMode.Directory | 0x1ED);

    internal void Change(ulong id, byte[] content)
    {
        lock (_lock)
        {
            _nodes[id] = _nodes[id] with { Content = content };
        }
    }

    internal void Rename(ulong id, string name)
    {
        lock (_lock)
        {
            _nodes[id] = _nodes[id] with { Name = name };
        }
    }

    public override void Disconnected() => IsDisconnected.TrySetResult();

    public override void Forget(ReadOnlySpan<FuseForgetOne> forgets)
    {
        foreach (FuseForgetOne one in forgets)
        {
            Interlocked.Add(ref Forgotten, (long)one.Lookups);
        }
    }

    public override void Lookup(FuseRequest request, ReadOnlySpan<byte> name)
    {
        string text = Encoding.UTF8.GetString(name);
        lock (_lock)
        {
            Node? found = _nodes.Values.FirstOrDefault(node => node.Parent == request.NodeId && node.Id != 1 && node.Name == text);
            if (found is null)
            {
                request.ReplyError(Errno.ENOENT);
                return;
            }

            request.ReplyEntry(EntryOf(found));
        }
    }

    public override void GetAttr(FuseRequest request, in FuseGetAttrIn arguments)
    {
        FuseAttrOut attributes = new() { Attr = AttrOf(NodeOf(request.NodeId)) };
        attributes.SetValidity(Validity);
        request.ReplyAttr(attributes);
    }

    public override void Statx(FuseRequest request, in FuseStatxIn arguments)
    {
        FuseAttr attributes = AttrOf(NodeOf(request.NodeId));
        FuseStatxOut statx = new()
        {
            Statx = new FuseStatx
            {
                Mask = 0xfff, Inode = attributes.Inode, Mode = (ushort)attributes.Mode, Size = attributes.Size, Blocks = attributes.Blocks, Links = attributes.Links, BlockSize = 4096,
                Modify = new FuseStatxTime { Seconds = (long)attributes.ModifySeconds }, Birth = new FuseStatxTime { Seconds = 86400 },
            },
        };
        statx.SetValidity(Validity);
        request.ReplyStatx(statx);
    }

    public override void ReadLink(FuseRequest request) => request.ReplyData(NodeOf(request.NodeId).Content);

    public override void Open(FuseRequest request, in FuseOpenIn arguments)
    {
        Node node = NodeOf(request.NodeId);
        if (Backing.TryGetValue(node.Id, out SafeFileHandle? file))
        {
            BackingErrno = Device!.OpenBacking(file, out int id);
            request.ReplyOpen(BackingErrno == 0 ? new FuseOpenOut { Handle = (ulong)id, Flags = (uint)FuseOpenFlags.Passthrough, BackingId = id } : default);
            return;
        }

        request.ReplyOpen(new FuseOpenOut { Handle = 7, Flags = (uint)(node.Name.StartsWith("hang", StringComparison.Ordinal) ? FuseOpenFlags.DirectIo : FuseOpenFlags.KeepCache) });
    }

    public override void Release(FuseRequest request, in FuseReleaseIn arguments)
    {
        if (Backing.ContainsKey(request.NodeId))
        {
            Device!.CloseBacking((int)arguments.Handle);
        }

        request.ReplyEmpty();
    }

    public override void Read(FuseRequest request, in FuseReadIn arguments)
    {
        Node node = NodeOf(request.NodeId);
        if (node.Name.StartsWith("throws", StringComparison.Ordinal))
        {
            throw new InvalidDataException("asked to");
        }

        if (Hangs && node.Name.StartsWith("hang", StringComparison.Ordinal))
        {
            request.Token.Register(() => request.ReplyError(Errno.EINTR));
            Hanging.TrySetResult(request);
            return;
        }

        SawRepeated |= request.IsRepeated;
        int start = (int)Math.Min(arguments.Offset, (ulong)node.Content.Length);
        request.ReplyData(node.Content.AsSpan(start, (int)Math.Min(arguments.Size, (uint)(node.Content.Length - start))));
    }

    public override void OpenDirectory(FuseRequest request, in FuseOpenIn arguments) => request.ReplyOpen(default);

    public override void ReadDirectory(FuseRequest request, in FuseReadIn arguments) => List(request, arguments, plus: false);

    public override void ReadDirectoryPlus(FuseRequest request, in FuseReadIn arguments) => List(request, arguments, plus: true);

    public override void GetXattr(FuseRequest request, ReadOnlySpan<byte> name, uint size)
    {
        if (!name.SequenceEqual("user.kind"u8))
        {
            request.ReplyError(Errno.ENODATA);
            return;
        }

        request.ReplyXattr("memory"u8, size);
    }

    public override void ListXattr(FuseRequest request, uint size) => request.ReplyXattr("user.kind\0"u8, size);

    private void List(FuseRequest request, in FuseReadIn arguments, bool plus)
    {
        lock (_lock)
        {
            FuseDirectoryWriter writer = request.StartDirectory(arguments.Size);
            ulong cookie = 0;
            foreach (Node node in _nodes.Values.Where(node => node.Parent == request.NodeId && node.Id != 1))
            {
                if (++cookie <= arguments.Offset)
                {
                    continue;
                }

                byte[] name = Encoding.UTF8.GetBytes(node.Name);
                if (!(plus ? writer.TryAddPlus(name, EntryOf(node), cookie) : writer.TryAdd(name, node.Id, node.Mode, cookie)))
                {
                    break;
                }
            }

            writer.Reply();
        }
    }

    private Node NodeOf(ulong id)
    {
        lock (_lock)
        {
            return _nodes[id];
        }
    }

    private FuseEntryOut EntryOf(Node node)
    {
        FuseEntryOut entry = new() { NodeId = node.Id, Attr = AttrOf(node) };
        entry.SetValidity(Validity, Validity);
        return entry;
    }

    private static FuseAttr AttrOf(Node node) => new()
    {
        Inode = node.Id, Mode = node.Mode, Size = (ulong)node.Content.Length, Blocks = (ulong)((node.Content.Length + 511) / 512), Links = 1, ModifySeconds = 1_000_000_000, BlockSize = 4096,
    };

    private sealed record Node(ulong Id, ulong Parent, string Name, uint Mode, byte[] Content);
}
