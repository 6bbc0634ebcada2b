using Forebay.Core;
using Forebay.Core.Sockets;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Messages;

/// <summary>One message as it came: its bytes, and the descriptors that came with it, owned by the receiver.</summary>
internal sealed class ReceivedMessage(byte[] bytes, SafeFileHandle[] descriptors) : IDisposable
{
    /// <summary>Reads it from its beginning.</summary>
    /// <exception cref="MalformedMessageException">It cannot be read.</exception>
    public MessageReader Read() => new(bytes);

    /// <summary>Takes the descriptor of an index over; null when there is none.</summary>
    public SafeFileHandle? TakeDescriptor(int index)
    {
        SafeFileHandle? descriptor = index < descriptors.Length && !descriptors[index].IsClosed ? descriptors[index] : null;
        if (descriptor is not null)
        {
            descriptors[index] = Closed;
        }

        return descriptor;
    }

    /// <summary>Closes the descriptors that nobody took.</summary>
    public void Dispose()
    {
        foreach (SafeFileHandle descriptor in descriptors)
        {
            if (!ReferenceEquals(descriptor, Closed))
            {
                descriptor.Dispose();
            }
        }
    }

    private static SafeFileHandle Closed { get; } = MakeClosed();

    private static SafeFileHandle MakeClosed()
    {
        SafeFileHandle handle = new(-1, ownsHandle: false);
        handle.Dispose();
        return handle;
    }
}

/// <summary>A local socket for the messages between the processes of a mount. Sending is thread-safe; one thread receives.</summary>
internal sealed class MessageSocket : IDisposable
{
    private const int Backlog = 8;
    private readonly DescriptorSocket _socket;

    public MessageSocket(SafeFileHandle handle)
        : this(new DescriptorSocket(handle))
    {
    }

    private MessageSocket(DescriptorSocket socket)
    {
        _socket = socket;
        socket.SetSendBuffer(MessageWriter.MaxBytes * 2);
    }

    /// <summary>The descriptor, for poll and for a child; stays owned by this.</summary>
    public int Descriptor => (int)Handle.DangerousGetHandle();

    /// <summary>The handle, to pass it to another process.</summary>
    public SafeFileHandle Handle => _socket.Handle;

    /// <summary>Two sockets that are connected to each other; neither is inherited by accident.</summary>
    public static (MessageSocket First, MessageSocket Second) Pair()
    {
        (DescriptorSocket first, DescriptorSocket second) = DescriptorSocket.Pair();
        return (new MessageSocket(first), new MessageSocket(second));
    }

    /// <summary>Takes a descriptor over that was inherited; a grandchild does not get it.</summary>
    public static MessageSocket From(int descriptor) => new(DescriptorSocket.From(descriptor));

    /// <summary>Listens at a path, for its owner only; a file that is there is replaced.</summary>
    public static MessageSocket Listen(string path) => new(DescriptorSocket.Listen(path, Backlog));

    /// <summary>Connects to a path.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: nobody listens there.</exception>
    public static MessageSocket Connect(string path) => new(DescriptorSocket.Connect(path));

    /// <summary>Takes the next connection of a listening socket.</summary>
    /// <returns>Null when it went away again, and when descriptors lack: it is still there then, and the socket ready. Ask again after a pause.</returns>
    public MessageSocket? Accept() => _socket.Accept(out _) is { } accepted ? new MessageSocket(accepted) : null;

    /// <summary>Sends one message; the descriptors are duplicated by the kernel and stay the caller's.</summary>
    /// <returns>False when the other side is gone.</returns>
    public bool Send(MessageWriter message, params ReadOnlySpan<SafeFileHandle> descriptors)
    {
        ReadOnlySpan<byte> bytes = message.Bytes;
        return bytes.Length <= MessageWriter.MaxBytes
            ? _socket.Send(bytes, descriptors)
            : throw new ForebayException(ErrorKind.InvalidArgument, $"The description of the mount has {bytes.Length} bytes; {MessageWriter.MaxBytes} is the most. Shorten its options or its environment.");
    }

    /// <summary>Waits for the next message.</summary>
    /// <returns>Null when the other side is gone.</returns>
    /// <exception cref="MalformedMessageException">A message was larger than any can be, or brought more descriptors than this process may open now.</exception>
    public ReceivedMessage? Receive()
    {
        byte[] buffer = new byte[MessageWriter.MaxBytes];
        int length = _socket.Receive(buffer, out SafeFileHandle[] descriptors, out bool isTruncated);
        if (isTruncated)
        {
            new ReceivedMessage([], descriptors).Dispose();
            throw new MalformedMessageException("a message was cut off: it was larger than any can be, or this process has no descriptor left for what it brought");
        }

        return length == 0 ? null : new ReceivedMessage(buffer[..length], descriptors);
    }

    /// <summary>Waits until something can be received or the other side is gone.</summary>
    /// <returns>False when the time passed first.</returns>
    public bool Wait(TimeSpan timeout) => _socket.Wait(timeout);

    /// <summary>Ends a wait of <see cref="Receive"/> as if the other side were gone; sending goes on.</summary>
    public void StopReceiving() => _socket.StopReceiving();

    /// <summary>Who is on the other side, as the kernel says.</summary>
    public (int Process, uint User) Peer() => _socket.Peer();

    public void Dispose() => _socket.Dispose();
}
