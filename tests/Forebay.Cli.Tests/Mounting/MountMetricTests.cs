using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Forebay.Admin;
using Forebay.Admin.Client;
using Forebay.Admin.Tests;
using Forebay.Cli.Mounting;
using Forebay.FileSystem;
using Forebay.Fuse;
using Forebay.Testing;

namespace Forebay.Cli.Tests.Mounting;

public sealed class MountMetricTests
{
    [Fact]
    public async Task TheControlSocketTellsRequestsTimesAndSources()
    {
        using FuseDispatcher dispatcher = new(new Nothing(), new FuseConnectionOptions(), negotiated: null, new Nowhere(), observer: null);
        dispatcher.Dispatch(Message(FuseOpcode.Init, 1, [7, 45, 1 << 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        dispatcher.Dispatch(Message(FuseOpcode.StatFs, 2, []));
        dispatcher.Dispatch(Message(FuseOpcode.StatFs, 3, []));
        dispatcher.Dispatch(Message(FuseOpcode.ReadLink, 4, []));
        using TempDirectory directory = new();
        MountMetricSource figures = new("data", dispatcher.Statistics, () => 3, () => Status);
        await using AdminServer server = await AdminServer.StartAsync(
            new AdminServerOptions { Node = new FakeNode(), SocketPath = directory["control"], AllowAnonymous = true, MetricSources = [figures] }, CancellationToken.None);
        using AdminClient client = AdminClient.OverSocket(directory["control"], TimeProvider.System);

        string text = await client.GetMetricsAsync(CancellationToken.None);

        Assert.Contains("forebay_fuse_requests_total{mount=\"data\",operation=\"statfs\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("forebay_fuse_errors_total{mount=\"data\",operation=\"statfs\"} 0\n", text, StringComparison.Ordinal);
        Assert.Contains("forebay_fuse_errors_total{mount=\"data\",operation=\"readlink\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("forebay_fuse_request_seconds_bucket{mount=\"data\",operation=\"statfs\",le=\"16.777216\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("forebay_fuse_request_seconds_bucket{mount=\"data\",operation=\"statfs\",le=\"+Inf\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("forebay_fuse_opens_total{mount=\"data\",mode=\"passthrough\"} 7\n", text, StringComparison.Ordinal);
        Assert.Contains("forebay_fuse_reads_total{mount=\"data\",kind=\"cold\"} 11\n", text, StringComparison.Ordinal);
        Assert.Contains("forebay_fuse_open_requests{mount=\"data\"} 3\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("operation=\"lookup\"", text, StringComparison.Ordinal);
    }

    private static FileSystemStatus Status => new()
    {
        Inodes = 1, MaxInodes = 2, InodeBytes = 3, Handles = 4, Backings = 5, Passthrough = true, PassthroughOpens = 7, CachedOpens = 8, StaleOpens = 9, HotReads = 10,
        ColdReads = 11, ReadBytes = 12, PrefetchedFiles = 13, PrefetchedFilesUsed = 6, PrefetchedBytes = 14, UnshowableKeys = 15, HiddenObjects = 16, Failures = 17,
    };

    private static byte[] Message(FuseOpcode opcode, ulong unique, uint[] body)
    {
        int size = Unsafe.SizeOf<FuseInHeader>();
        byte[] message = new byte[size + (body.Length * sizeof(uint))];
        FuseInHeader header = new() { Length = (uint)message.Length, Opcode = (uint)opcode, Unique = unique, NodeId = 1 };
        MemoryMarshal.Write(message, header);
        MemoryMarshal.AsBytes<uint>(body).CopyTo(message.AsSpan(size));
        return message;
    }

    private sealed class Nothing : FuseFileSystem;

    private sealed class Nowhere : IFuseReplySink
    {
        public int Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body) => 0;
    }
}
