using System.Runtime.InteropServices;
using Forebay.Testing;
using Xunit;

namespace Forebay.Fuse.Tests;

/// <summary>INIT with kernels of all ages, what a successor is given, notifications and the table of mounts.</summary>
public sealed class ConnectionTests
{
    [Theory]
    [InlineData(31U, 31)]
    [InlineData(38U, 38)]
    [InlineData(45U, 45)]
    [InlineData(99U, 45)]
    public void TheSmallerMinorVersionIsSpoken(uint kernel, int spoken)
    {
        FuseConnection? connection = FuseInitNegotiation.Agree(new FuseInitIn { Major = 7, Minor = kernel, Flags = uint.MaxValue, Flags2 = uint.MaxValue, MaxReadAhead = 131072 }, new FuseConnectionOptions());

        Assert.Equal(spoken, connection!.Minor);
        Assert.Equal((int)kernel, connection.KernelMinor);
    }

    [Theory]
    [InlineData(7U, 30U)]
    [InlineData(7U, 8U)]
    [InlineData(6U, 45U)]
    public void AnOlderKernelIsRefusedWithASentence(uint major, uint minor)
    {
        RecordingSink sink = new();
        string? refusal = null;
        using FuseDispatcher dispatcher = new(new ScriptedFileSystem(), new FuseConnectionOptions(), null, sink, null) { InitEnded = (_, sentence) => refusal = sentence };

        dispatcher.Dispatch(FakeKernel.Message(FuseOpcode.Init, 2, 0, (ReadOnlySpan<byte>)[.. FakeKernel.Bytes(major), .. FakeKernel.Bytes(minor), .. new byte[8]]));

        Assert.Equal(-Errno.EPROTO, BitConverter.ToInt32(Assert.Single(sink.Messages), 4));
        Assert.Contains($"{major}.{minor}", refusal, StringComparison.Ordinal);
        Assert.Null(dispatcher.Connection);
    }

    [Fact]
    public void ANewerMajorVersionIsAskedToTryAgain()
    {
        RecordingSink sink = new();
        using FuseDispatcher dispatcher = new(new ScriptedFileSystem(), new FuseConnectionOptions(), null, sink, null);

        dispatcher.Dispatch(FakeKernel.Message(FuseOpcode.Init, 2, 0, (ReadOnlySpan<byte>)[.. FakeKernel.Bytes(8U), .. FakeKernel.Bytes(1U), .. new byte[56]]));
        dispatcher.Dispatch(Captured.Init);

        Assert.Equal(7, BitConverter.ToInt32(sink.Messages[0], 16));
        Assert.Equal(45, dispatcher.Connection!.Minor);
    }

    [Fact]
    public void TheUpperFlagsCountOnlyWhereTheKernelSaysSo()
    {
        FuseInitIn offer = new() { Major = 7, Minor = 36, Flags = uint.MaxValue & ~(1U << 30), Flags2 = uint.MaxValue };

        Assert.False(FuseInitNegotiation.Agree(offer, new FuseConnectionOptions())!.Has(FuseInitFlags.Passthrough));
    }

    [Fact]
    public void NothingIsTakenThatTheKernelDoesNotOffer()
    {
        FuseConnection connection = FuseInitNegotiation.Agree(new FuseInitIn { Major = 7, Minor = 31 }, new FuseConnectionOptions())!;

        Assert.Equal(FuseInitFlags.None, connection.Flags);
        Assert.Equal(32, connection.MaxPages);
        Assert.Equal(0, connection.MaxStackDepth);
    }

    [Fact]
    public void PassthroughGivesWayToWhatExcludesIt()
    {
        FuseInitIn all = new() { Major = 7, Minor = 45, Flags = uint.MaxValue, Flags2 = uint.MaxValue };

        Assert.False(FuseInitNegotiation.Agree(all, new FuseConnectionOptions { ZeroMessageOpen = true })!.Has(FuseInitFlags.Passthrough));
        Assert.False(FuseInitNegotiation.Agree(all, new FuseConnectionOptions { ZeroMessageOpen = true })!.Has(FuseInitFlags.AtomicOpenTruncate));
        Assert.True(FuseInitNegotiation.Agree(all, new FuseConnectionOptions())!.Has(FuseInitFlags.AtomicOpenTruncate));
        Assert.False(FuseInitNegotiation.Agree(all, new FuseConnectionOptions { AlsoAskFor = FuseInitFlags.WritebackCache })!.Has(FuseInitFlags.Passthrough));
        Assert.False(FuseInitNegotiation.Agree(all, new FuseConnectionOptions { AlsoAskFor = FuseInitFlags.OverIoUring })!.Has(FuseInitFlags.OverIoUring));
    }

    [Fact]
    public void AnAgreementSurvivesAsBytes()
    {
        FuseConnection connection = FuseInitNegotiation.Agree(new FuseInitIn { Major = 7, Minor = 45, Flags = uint.MaxValue, Flags2 = uint.MaxValue, MaxReadAhead = 131072 }, new FuseConnectionOptions())!;

        Assert.Equal(connection, FuseConnection.TryParse(connection.ToBytes()));
    }

    [Fact]
    public void BytesThatAreNoAgreementAreNotTaken()
    {
        byte[] bytes = FuseInitNegotiation.Agree(new FuseInitIn { Major = 7, Minor = 45 }, new FuseConnectionOptions())!.ToBytes();

        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.Null(FuseConnection.TryParse(bytes.AsSpan(0, length)));
        }

        foreach (int field in new[] { 0, 4, 8, 24, 32 })
        {
            byte[] broken = [.. bytes];
            BitConverter.TryWriteBytes(broken.AsSpan(field), -1);
            Assert.Null(FuseConnection.TryParse(broken));
        }
    }

    [Fact]
    public void EveryRowOfTheTableIsReachableByItsOpcode()
    {
        Assert.All(FuseOperation.All, static row => Assert.Same(row, FuseOperation.Find((uint)row.Opcode)));
        FuseOpcode[] missing = [.. Enum.GetValues<FuseOpcode>().Where(static opcode => FuseOperation.Find((uint)opcode) is null)];
        Assert.Equal([FuseOpcode.None, FuseOpcode.SetupMapping, FuseOpcode.RemoveMapping], missing);
        Assert.Equal([FuseOpcode.Forget, FuseOpcode.Interrupt, FuseOpcode.NotifyReply, FuseOpcode.BatchForget], FuseOperation.All.Where(static row => !row.HasReply).Select(static row => row.Opcode));
        Assert.All(FuseOperation.All, static row => Assert.InRange(row.Since, 0, FuseConnectionOptions.NewestMinor));
    }

    [Theory]
    [InlineData(FuseNotification.InvalidateInode, "280000000200000000000000000000000500000000000000060000000000000007000000000000 00")]
    [InlineData(FuseNotification.InvalidateEntry, "220000000300000000000000000000000500000000000000010000000000000061 00")]
    [InlineData(FuseNotification.ExpireEntry, "220000000300000000000000000000000500000000000000010000000100000061 00")]
    [InlineData(FuseNotification.Delete, "2a00000006000000000000000000000005000000000000000600000000000000010000000000000061 00")]
    [InlineData(FuseNotification.IncrementEpoch, "10000000080000000000000000000000")]
    [InlineData(FuseNotification.Resend, "10000000070000000000000000000000")]
    [InlineData(FuseNotification.Prune, "2800000009000000000000000000000001000000000000000000000000000000 0500000000000000")]
    public async Task ANotificationHasTheKernelsForm(FuseNotification kind, string hex)
    {
        RecordingSink sink = new();
        FuseConnection connection = FuseInitNegotiation.Agree(new FuseInitIn { Major = 7, Minor = 45, Flags = uint.MaxValue, Flags2 = uint.MaxValue }, new FuseConnectionOptions())!;
        await using FuseNotifier notifier = new(sink, () => connection, 8, null);
        notifier.Start();

        Assert.True(kind switch
        {
            FuseNotification.InvalidateInode => notifier.InvalidateInode(5, 6, 7),
            FuseNotification.InvalidateEntry => notifier.InvalidateEntry(5, "a"u8),
            FuseNotification.ExpireEntry => notifier.ExpireEntry(5, "a"u8),
            FuseNotification.Delete => notifier.Delete(5, 6, "a"u8),
            FuseNotification.IncrementEpoch => notifier.IncrementEpoch(),
            FuseNotification.Resend => notifier.Resend(),
            _ => notifier.Prune([5]),
        });
        await notifier.FlushAsync();

        Assert.Equal(hex.Replace(" ", "", StringComparison.Ordinal), Convert.ToHexStringLower(Assert.Single(sink.Messages)));
    }

    /// <summary>A session asks before it reads: later, what it has taken itself would come twice.</summary>
    [Fact]
    public async Task AskingForOpenRequestsIsDoneWhenTheCallReturns()
    {
        RecordingSink sink = new();
        FuseConnection connection = FuseInitNegotiation.Agree(new FuseInitIn { Major = 7, Minor = 45, Flags = uint.MaxValue, Flags2 = uint.MaxValue }, new FuseConnectionOptions())!;
        await using FuseNotifier notifier = new(sink, () => connection, 8, null);

        Assert.True(notifier.Resend());

        Assert.Single(sink.Messages);
    }

    [Fact]
    public async Task AFullQueueRefusesAndAnOldKernelIsNotTold()
    {
        FuseConnection old = FuseInitNegotiation.Agree(new FuseInitIn { Major = 7, Minor = 31 }, new FuseConnectionOptions())!;
        await using FuseNotifier notifier = new(new RecordingSink(), () => old, 2, null);

        Assert.False(notifier.Resend());
        Assert.False(notifier.IncrementEpoch());
        Assert.False(notifier.ExpireEntry(1, "a"u8));
        Assert.True(notifier.InvalidateInode(1));
        Assert.True(notifier.InvalidateInode(2));
        Assert.False(notifier.InvalidateInode(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => notifier.InvalidateEntry(1, default));
        Assert.Throws<ArgumentOutOfRangeException>(() => notifier.InvalidateEntry(1, new byte[1025]));
    }

    [Fact]
    public void MountInfoIsReadWithEscapesAndOptionalFields()
    {
        IReadOnlyList<MountEntry> entries = MountEntry.Parse("""
            36 35 98:0 /mnt1 /mnt/a\040b\134c rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue
            40 35 0:52 / /data rw,relatime - fuse.forebay s3://bucket\040x rw,user_id=0
            broken line
            41 35 0 / /x rw - ext4 none
            """);

        Assert.Equal(
            [
                new MountEntry(36, 35, 98, 0, "/mnt/a b\\c", "rw,noatime", "ext3", "/dev/root", "rw,errors=continue"),
                new MountEntry(40, 35, 0, 52, "/data", "rw,relatime", "fuse.forebay", "s3://bucket x", "rw,user_id=0"),
            ],
            entries);
        Assert.True(entries[1].IsFuse);
        Assert.False(entries[0].IsFuse);
        Assert.NotNull(MountEntry.Find("/"));
    }

    [Theory]
    [InlineData(0, 0UL, 0U)]
    [InlineData(-5, 0UL, 0U)]
    [InlineData(1500, 1UL, 500_000_000U)]
    public void ATimeBecomesSecondsAndNanoseconds(int milliseconds, ulong seconds, uint nanoseconds)
    {
        FuseEntryOut entry = default;

        entry.SetValidity(TimeSpan.FromMilliseconds(milliseconds), TimeSpan.MaxValue);

        Assert.Equal((seconds, nanoseconds), (entry.EntryValidSeconds, entry.EntryValidNanoseconds));
        Assert.Equal(((ulong)int.MaxValue, 0U), (entry.AttrValidSeconds, entry.AttrValidNanoseconds));
    }
}
