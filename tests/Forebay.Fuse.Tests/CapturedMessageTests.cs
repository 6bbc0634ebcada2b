using System.Runtime.InteropServices;
using Forebay.Testing;
using Xunit;

namespace Forebay.Fuse.Tests;

/// <summary>The bytes a real kernel sends, understood field by field.</summary>
public sealed class CapturedMessageTests : IDisposable
{
    private readonly ScriptedFileSystem _fileSystem = new();
    private readonly NotingObserver _observer = new();
    private readonly FakeKernel _kernel;

    public CapturedMessageTests() => _kernel = new FakeKernel(_fileSystem, null, _observer);

    public static TheoryData<FuseOpcode> Opcodes => Captured.Opcodes;

    public static TheoryData<FuseOpcode, string> Understood => new()
    {
        { FuseOpcode.Lookup, "Lookup 1 f" },
        { FuseOpcode.GetAttr, "GetAttr 1" },
        { FuseOpcode.Read, "Read 2 7 0+4096" },
        { FuseOpcode.Rename, "Rename 1 f 1 g 0" },
        { FuseOpcode.Rename2, "Rename 1 f 1 g 1" },
        { FuseOpcode.SymLink, "SymLink sl t" },
        { FuseOpcode.Write, "Write 7 0 hello" },
        { FuseOpcode.SetXattr, "SetXattr user.a=v" },
        { FuseOpcode.GetXattr, "GetXattr security.capability 0" },
        { FuseOpcode.SetAttr, "SetAttr 248 3 7" },
        { FuseOpcode.Link, "Link 2 hl" },
        { FuseOpcode.Fallocate, "Fallocate 0+10" },
        { FuseOpcode.CopyFileRange64, "CopyFileRange 2 5 50" },
        { FuseOpcode.Lseek, "Lseek 3" },
        { FuseOpcode.Access, "Access 1" },
    };

    [Theory]
    [MemberData(nameof(Understood))]
    public void TheArgumentsOfACapturedMessageReachTheFileSystem(FuseOpcode opcode, string call)
    {
        _kernel.Dispatcher.Dispatch(Captured.Of(opcode));

        Assert.Equal([call], _fileSystem.Calls);
        Assert.Empty(_observer.Faults);
    }

    [Theory]
    [MemberData(nameof(Opcodes))]
    public void EveryCapturedMessageIsUnderstood(FuseOpcode opcode)
    {
        _kernel.Dispatcher.Dispatch(Captured.Of(opcode));

        Assert.Empty(_observer.Faults);
        Assert.Equal(opcode, _observer.Completions[^1].Opcode);
        Assert.Equal(0, _kernel.Dispatcher.OpenRequests);
    }

    [Theory]
    [InlineData(FuseOpcode.SetAttr)]
    [InlineData(FuseOpcode.MakeNode)]
    [InlineData(FuseOpcode.MakeDirectory)]
    [InlineData(FuseOpcode.SymLink)]
    [InlineData(FuseOpcode.Unlink)]
    [InlineData(FuseOpcode.RemoveDirectory)]
    [InlineData(FuseOpcode.Rename)]
    [InlineData(FuseOpcode.Rename2)]
    [InlineData(FuseOpcode.Link)]
    [InlineData(FuseOpcode.Create)]
    [InlineData(FuseOpcode.TempFile)]
    [InlineData(FuseOpcode.Write)]
    [InlineData(FuseOpcode.Fallocate)]
    [InlineData(FuseOpcode.CopyFileRange64)]
    [InlineData(FuseOpcode.SetXattr)]
    [InlineData(FuseOpcode.RemoveXattr)]
    public void WhatWritesIsRefusedAsReadOnlyUnlessImplemented(FuseOpcode opcode)
    {
        _kernel.Dispatcher.Dispatch(Captured.Of(opcode));

        Assert.Equal(Errno.EROFS, _observer.Completions[^1].Errno);
    }

    [Fact]
    public void TheCapturedInitIsAgreedOn()
    {
        RecordingSink sink = new();
        using FuseDispatcher dispatcher = new(_fileSystem, new FuseConnectionOptions(), null, sink, _observer);

        dispatcher.Dispatch(Captured.Init);

        byte[] answer = Assert.Single(sink.Messages);
        Assert.Equal(16 + 64, answer.Length);
        FuseInitOut agreed = MemoryMarshal.Read<FuseInitOut>(answer.AsSpan(16));
        Assert.Equal((7U, 45U), (agreed.Major, agreed.Minor));
        Assert.Equal(256, agreed.MaxPages);
        Assert.Equal(1U, agreed.MaxStackDepth);
        Assert.Equal(0U, agreed.Flags2 & (1U << 9));
        FuseConnection connection = _fileSystem.Connection!;
        Assert.True(connection.Has(FuseInitFlags.Passthrough | FuseInitFlags.Resend | FuseInitFlags.InitExtended | FuseInitFlags.ExpireOnly | FuseInitFlags.ParallelDirectoryOperations | FuseInitFlags.ReadDirectoryPlusAuto | FuseInitFlags.CacheSymlinks));
    }

    public void Dispose() => _kernel.Dispose();
}

/// <summary>Keeps what is sent.</summary>
internal sealed class RecordingSink : IFuseReplySink
{
    internal List<byte[]> Messages { get; } = [];

    internal int Errno { get; set; }

    public int Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body)
    {
        lock (Messages)
        {
            Messages.Add([.. head, .. body]);
        }

        return Errno;
    }
}
