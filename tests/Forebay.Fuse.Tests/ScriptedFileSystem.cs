using System.Text;

namespace Forebay.Fuse.Tests;

/// <summary>Notes every call and answers as told; what is not told answers as the base class does.</summary>
internal sealed class ScriptedFileSystem : FuseFileSystem
{
    internal List<string> Calls { get; } = [];

    internal List<FuseForgetOne> Forgotten { get; } = [];

    internal FuseConnection? Connection { get; private set; }

    internal Action<FuseRequest>? OnGetAttr { get; set; }

    internal Action<FuseRequest, FuseReadIn>? OnRead { get; set; }

    internal Action<FuseRequest, uint>? OnXattr { get; set; }

    public override void Connected(FuseConnection connection) => Connection = connection;

    public override void Forget(ReadOnlySpan<FuseForgetOne> forgets) => Forgotten.AddRange(forgets);

    public override void GetAttr(FuseRequest request, in FuseGetAttrIn arguments)
    {
        Note($"GetAttr {request.NodeId}");
        if (OnGetAttr is null)
        {
            request.ReplyAttr(new FuseAttrOut { Attr = new FuseAttr { Inode = request.NodeId, Mode = FuseMode.Directory | 0x1ED } });
            return;
        }

        OnGetAttr(request);
    }

    public override void Read(FuseRequest request, in FuseReadIn arguments)
    {
        Note($"Read {request.NodeId} {arguments.Handle} {arguments.Offset}+{arguments.Size}");
        if (OnRead is null)
        {
            base.Read(request, arguments);
            return;
        }

        OnRead(request, arguments);
    }

    public override void GetXattr(FuseRequest request, ReadOnlySpan<byte> name, uint size)
    {
        Note($"GetXattr {Text(name)} {size}");
        if (OnXattr is null)
        {
            base.GetXattr(request, name, size);
            return;
        }

        OnXattr(request, size);
    }

    public override void Lookup(FuseRequest request, ReadOnlySpan<byte> name)
    {
        Note($"Lookup {request.NodeId} {Text(name)}");
        base.Lookup(request, name);
    }

    public override void Rename(FuseRequest request, in FuseRenameIn arguments, ReadOnlySpan<byte> oldName, ReadOnlySpan<byte> newName)
    {
        Note($"Rename {request.NodeId} {Text(oldName)} {arguments.NewParent} {Text(newName)} {arguments.Flags}");
        base.Rename(request, arguments, oldName, newName);
    }

    public override void SymLink(FuseRequest request, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target)
    {
        Note($"SymLink {Text(name)} {Text(target)}");
        base.SymLink(request, name, target);
    }

    public override void Write(FuseRequest request, in FuseWriteIn arguments, ReadOnlySpan<byte> data)
    {
        Note($"Write {arguments.Handle} {arguments.Offset} {Text(data)}");
        base.Write(request, arguments, data);
    }

    public override void SetXattr(FuseRequest request, in FuseSetXattrIn arguments, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Note($"SetXattr {Text(name)}={Text(value)}");
        base.SetXattr(request, arguments, name, value);
    }

    public override void SetAttr(FuseRequest request, in FuseSetAttrIn arguments)
    {
        Note($"SetAttr {arguments.Valid:x} {arguments.Size} {arguments.Handle}");
        base.SetAttr(request, arguments);
    }

    public override void Link(FuseRequest request, ulong oldNodeId, ReadOnlySpan<byte> newName)
    {
        Note($"Link {oldNodeId} {Text(newName)}");
        base.Link(request, oldNodeId, newName);
    }

    public override void Fallocate(FuseRequest request, in FuseFallocateIn arguments)
    {
        Note($"Fallocate {arguments.Offset}+{arguments.Length}");
        base.Fallocate(request, arguments);
    }

    public override void CopyFileRange(FuseRequest request, in FuseCopyFileRangeIn arguments)
    {
        Note($"CopyFileRange {arguments.NodeIdOut} {arguments.Length} {arguments.OffsetOut}");
        base.CopyFileRange(request, arguments);
    }

    public override void Lseek(FuseRequest request, in FuseLseekIn arguments)
    {
        Note($"Lseek {arguments.Whence}");
        base.Lseek(request, arguments);
    }

    public override void Access(FuseRequest request, uint mask)
    {
        Note($"Access {mask}");
        base.Access(request, mask);
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);

    private void Note(FormattableString call) => Calls.Add(FormattableString.Invariant(call));
}

/// <summary>Keeps what it sees.</summary>
internal sealed class NotingObserver : FuseObserver
{
    internal List<FuseCompletion> Completions { get; } = [];

    internal List<FuseFault> Faults { get; } = [];

    public override void Completed(in FuseCompletion completion)
    {
        lock (Completions)
        {
            Completions.Add(completion);
        }
    }

    public override void Faulted(FuseFault fault)
    {
        lock (Faults)
        {
            Faults.Add(fault);
        }
    }
}
