using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Forebay.S3.Transport;

namespace Forebay.S3.Tests.Transport;

/// <summary>Connections over real sockets and a real event loop, and files to send.</summary>
public abstract class SocketConnectionWorld : IDisposable
{
    /// <summary>Its classes run one after the other: they tell what happens by threads, and count what those allocate.</summary>
    internal const string Collection = "connections";

    private protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly List<IDisposable> _sockets = [];
    private readonly string _directory = Directory.CreateTempSubdirectory("forebay-connection-").FullName;

    private protected EventLoop Loop { get; } = new(0);

    /// <summary>The server's side of the connection that was made last.</summary>
    private protected Socket LastAccepted => (Socket)_sockets[^1];

    public void Dispose()
    {
        Loop.Dispose();
        _sockets.ForEach(socket => socket.Dispose());
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    private protected TestFile CreateFile(int length) => new(Path.Combine(_directory, "file"), length, seed: 1);

    /// <summary>Without the test framework's context an await goes on where it was ended: on the loop's thread.</summary>
    private protected static void LeaveContext() => SynchronizationContext.SetSynchronizationContext(null);

    /// <summary>Writes the file out and drops it from the page cache, or reads it into it. False where the kernel is too old to tell, or the directory lies in memory.</summary>
    private protected static bool TrySetResident(TestFile file, bool isResident)
    {
        RandomAccess.FlushToDisk(file.Handle);
        if (isResident)
        {
            file.Read(0, (int)file.Length);
        }
        else
        {
            file.Drop();
        }

        return Native.IsResident(file.Handle, 0, file.Length) == isResident;
    }

    private protected static ValueTask<FlushResult> Send(SocketConnection connection, TestFile file, int length, CancellationToken cancellationToken = default)
    {
        var writer = (SendfilePipeWriter)connection.Output;
        writer.BeginFile(file.Handle, 0, length);
        writer.GetMemory(1);
        writer.Advance(length);
        return writer.FlushAsync(cancellationToken);
    }

    private protected static byte[] Receive(Socket client, int length)
    {
        byte[] received = new byte[length];
        for (int count = 0; count < length;)
        {
            int some = client.Receive(received.AsSpan(count));
            Assert.NotEqual(0, some);
            count += some;
        }

        return received;
    }

    private protected static Task<ReadResult> ReadAsync(SocketConnection connection)
        => connection.Input.ReadAsync().AsTask().WaitAsync(Patience);

    private protected (SocketConnection Connection, Socket Client) Connect(bool inline = false)
    {
        (Socket accepted, Socket client) = Pair();
        return (new SocketConnection(accepted, Loop) { RunsInline = inline }, client);
    }

    private protected (Socket Accepted, Socket Client) Pair()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 30_000, SendTimeout = 30_000 };
        client.Connect(listener.LocalEndPoint!);
        Socket accepted = listener.Accept();
        _sockets.AddRange([client, accepted]);
        return (accepted, client);
    }

    /// <summary>Holds the loop: what comes until it goes on it gets at once.</summary>
    private protected HeldLoop Hold()
    {
        (SocketConnection connection, Socket client) = Connect(inline: true);
        return new HeldLoop(connection, client);
    }

    /// <summary>Two sides of a connection whose server holds its loop.</summary>
    private protected sealed class HeldLoop : IAsyncDisposable
    {
        private readonly ManualResetEventSlim _isHeld = new();
        private readonly ManualResetEventSlim _goesOn = new();
        private readonly Task _held;

        internal HeldLoop(SocketConnection connection, Socket client)
        {
            Connection = connection;
            Client = client;
            _held = HoldAsync();
            client.Send("x"u8);
            Assert.True(_isHeld.Wait(Patience));
        }

        internal SocketConnection Connection { get; }

        internal Socket Client { get; }

        internal Task GoOnAsync()
        {
            _goesOn.Set();
            return _held.WaitAsync(Patience);
        }

        public async ValueTask DisposeAsync()
        {
            await GoOnAsync();
            _isHeld.Dispose();
            _goesOn.Dispose();
        }

        private async Task HoldAsync()
        {
            ReadResult read = await Connection.Input.ReadAsync();
            Connection.Input.AdvanceTo(read.Buffer.End);
            _isHeld.Set();
            _goesOn.Wait(Patience);
        }
    }
}
