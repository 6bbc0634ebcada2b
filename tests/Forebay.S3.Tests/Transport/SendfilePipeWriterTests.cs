using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Forebay.S3.Transport;
using Xunit;

namespace Forebay.S3.Tests.Transport;

public sealed class SendfilePipeWriterTests : IDisposable
{
    private readonly Socket _server;
    private readonly Socket _client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly EventLoop _loop = new(0);
    private readonly SocketConnection _connection;
    private readonly string _directory = Directory.CreateTempSubdirectory("forebay-writer-").FullName;

    public SendfilePipeWriterTests()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        _client.ReceiveBufferSize = 4096;
        _client.Connect(listener.LocalEndPoint!);
        _server = listener.Accept();
        _connection = new SocketConnection(_server, _loop);
    }

    [Fact]
    public async Task AClientThatTakesNothingIsGivenUpAndOneThatTakesSomethingIsNot()
    {
        using TestFile file = new(Path.Combine(_directory, "file"), 32 << 20, seed: 1);
        var writer = (SendfilePipeWriter)_connection.Output;

        ValueTask<FlushResult> flush = SendWhole(writer, file);

        Beat(writer, SendfilePipeWriter.MaxStalledHeartbeats);
        byte[] some = new byte[1 << 20];
        for (int taken = 0; taken < 8 << 20;)
        {
            taken += await _client.ReceiveAsync(some);
        }

        Beat(writer, SendfilePipeWriter.MaxStalledHeartbeats);
        Assert.False(_connection.ConnectionClosed.IsCancellationRequested, "a client that takes bytes was given up");

        // By now the send buffer may have been refilled once more; after that nothing moves.
        Beat(writer, 2 * SendfilePipeWriter.MaxStalledHeartbeats);
        Assert.True(_connection.ConnectionClosed.WaitHandle.WaitOne(TimeSpan.FromSeconds(30)), "a client that takes nothing was kept");
        Assert.True((await flush).IsCompleted);
    }

    [Fact]
    public void BytesThatLieInAFileCannotBeWritten()
    {
        using TestFile file = new(Path.Combine(_directory, "file"), 100, seed: 1);
        var writer = (SendfilePipeWriter)_connection.Output;
        writer.BeginFile(file.Handle, 0, 100);

        Memory<byte> memory = writer.GetMemory(100);

        Assert.True(writer.IsFileMemory(memory));
        Assert.Equal(100, memory.Length);
        Assert.Throws<InvalidOperationException>(() => memory.Span[0] = 1);
        Assert.Throws<InvalidOperationException>(() => writer.BeginFile(file.Handle, 0, 1));
        writer.Advance(100);
        Assert.Throws<InvalidOperationException>(() => writer.GetMemory(1));
        Assert.Equal(100, writer.UnflushedBytes);
        writer.Complete();
        Assert.Equal(0, writer.UnflushedBytes);
    }

    [Fact]
    public void AnAnnouncedPieceCanBeTakenBackBeforeItsFirstByte()
    {
        using TestFile file = new(Path.Combine(_directory, "file"), 100, seed: 1);
        var writer = (SendfilePipeWriter)_connection.Output;

        writer.BeginFile(file.Handle, 0, 100);
        writer.CancelFile();

        Assert.False(writer.IsFileMemory(writer.GetMemory(10)));
    }

    public void Dispose()
    {
        _client.Dispose();
        _loop.Dispose();
        _server.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static ValueTask<FlushResult> SendWhole(SendfilePipeWriter writer, TestFile file)
    {
        writer.BeginFile(file.Handle, 0, (int)file.Length);
        writer.GetMemory((int)file.Length);
        writer.Advance((int)file.Length);
        return writer.FlushAsync();
    }

    private static void Beat(SendfilePipeWriter writer, int times)
    {
        for (int i = 0; i < times; i++)
        {
            writer.OnHeartbeat();
        }
    }
}
