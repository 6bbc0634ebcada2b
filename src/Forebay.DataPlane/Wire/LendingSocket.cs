using Forebay.Core;
using Forebay.Core.Sockets;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane.Wire;

/// <summary>A local socket for messages that carry at most one descriptor each, and that never waits to send. Sending is thread-safe; one thread receives.</summary>
internal sealed class LendingSocket : IDisposable
{
    private const int Backlog = 64;

    /// <summary>Room for what a mount gives back at once and the node has not read yet: each message is charged with less than 1 KiB.</summary>
    private const int SendBufferBytes = 4 << 20;

    private readonly DescriptorSocket _socket;

    private LendingSocket(DescriptorSocket socket)
    {
        _socket = socket;
        socket.SetSendBuffer(SendBufferBytes);
    }

    /// <summary>Listens at a path, for its owner only (0600); what is there is replaced.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/> or <see cref="ErrorKind.InvalidArgument"/>: nothing can listen there.</exception>
    public static LendingSocket Listen(string path)
    {
        try
        {
            return new LendingSocket(DescriptorSocket.Listen(path, Backlog));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"Nothing can listen at {path}: {e.Message}", e);
        }
    }

    /// <summary>Connects to a path.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: nobody listens there.</exception>
    public static LendingSocket Connect(string path) => new(DescriptorSocket.Connect(path));

    /// <summary>See <see cref="DescriptorSocket.Accept"/>.</summary>
    public LendingSocket? Accept(out bool isOver) => _socket.Accept(out isOver) is { } accepted ? new LendingSocket(accepted) : null;

    /// <summary>User on the other side, as the kernel says; null when it cannot be told.</summary>
    public uint? PeerUser()
    {
        try
        {
            return _socket.Peer().User;
        }
        catch (ForebayException)
        {
            return null;
        }
    }

    /// <summary>Bounds the wait of <see cref="Receive"/>; zero for none.</summary>
    public void SetPatience(TimeSpan patience) => _socket.SetPatience(patience);

    /// <summary>Sends one message without waiting; the descriptor is duplicated by the kernel and stays the caller's.</summary>
    /// <returns>False when the other side is gone, or does not read what it was sent.</returns>
    public bool TrySend(ReadOnlySpan<byte> message, SafeFileHandle? descriptor = null)
        => descriptor is null ? _socket.Send(message, waits: false) : _socket.Send(message, [descriptor], waits: false);

    /// <summary>Waits for the next message.</summary>
    /// <param name="buffer">Receives it; <see cref="LendingMessage.MaxBytes"/> long.</param>
    /// <param name="descriptor">What came with it, owned by the caller; null for none.</param>
    /// <returns>Bytes of the message; 0 when the other side is gone or silent for longer than patience lasts.</returns>
    /// <exception cref="MalformedLendingException">The message is larger than any can be, brought more than one descriptor, or one for which there is no room in this process.</exception>
    public int Receive(Span<byte> buffer, out SafeFileHandle? descriptor)
    {
        int length = _socket.Receive(buffer, out SafeFileHandle[] descriptors, out bool isTruncated);
        if (isTruncated || descriptors.Length > 1)
        {
            Array.ForEach(descriptors, static unwanted => unwanted.Dispose());
            throw new MalformedLendingException(descriptors.Length > 1
                ? "a message brought more than one descriptor"
                : "a message was cut off: it was larger than any can be, or this process has no descriptor left for what it brought");
        }

        descriptor = descriptors.Length == 1 ? descriptors[0] : null;
        return length;
    }

    /// <summary>Ends the connection, or the listening: whoever waits is told at once.</summary>
    public void Shutdown() => _socket.ShutDown();

    public void Dispose() => _socket.Dispose();
}
