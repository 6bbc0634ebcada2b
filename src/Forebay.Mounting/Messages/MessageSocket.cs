using System.Runtime.InteropServices;
using Forebay.Core;
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

/// <summary>A local socket that keeps the bounds of messages (SOCK_SEQPACKET) and carries descriptors. Sending is thread-safe; one thread receives.</summary>
internal sealed unsafe class MessageSocket : IDisposable
{
    private const int MaxDescriptors = 4;
    private const int ControlBytes = 16 + (MaxDescriptors * sizeof(int));

    private readonly SafeFileHandle _handle;
    private readonly Lock _sending = new();

    public MessageSocket(SafeFileHandle handle) => _handle = handle;

    /// <summary>The descriptor, for poll and for a child; stays owned by this.</summary>
    public int Descriptor => (int)_handle.DangerousGetHandle();

    /// <summary>The handle, to pass it to another process.</summary>
    public SafeFileHandle Handle => _handle;

    /// <summary>Two sockets that are connected to each other; neither is inherited by accident.</summary>
    public static (MessageSocket First, MessageSocket Second) Pair()
    {
        int* pair = stackalloc int[2];
        if (Native.SocketPair(Native.AddressFamilyUnix, Native.SocketSeqPacket | Native.SocketCloseOnExec, 0, pair) != 0)
        {
            throw Failed("no socket pair could be made");
        }

        return (Prepare(pair[0]), Prepare(pair[1]));
    }

    /// <summary>Takes a descriptor over, for instance one that was inherited.</summary>
    public static MessageSocket From(int descriptor)
    {
        // Inherited descriptors lack the flag; a grandchild must not get them.
        _ = Native.Control(descriptor, 2 /* F_SETFD */, 1 /* FD_CLOEXEC */);
        return Prepare(descriptor);
    }

    /// <summary>Sends one message; the descriptors are duplicated by the kernel and stay the caller's.</summary>
    /// <returns>False when the other side is gone.</returns>
    public bool Send(MessageWriter message, params ReadOnlySpan<SafeFileHandle> descriptors)
    {
        ReadOnlySpan<byte> bytes = message.Bytes;
        if (bytes.Length > MessageWriter.MaxBytes)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"The description of the mount has {bytes.Length} bytes; {MessageWriter.MaxBytes} is the most. Shorten its options or its environment.");
        }

        byte* control = stackalloc byte[ControlBytes];
        lock (_sending)
        {
            if (_handle.IsClosed)
            {
                return false;
            }

            fixed (byte* start = bytes)
            {
                Native.Vector vector = new() { Start = start, Length = (nuint)bytes.Length };
                Native.MessageHeader header = new() { Vectors = &vector, VectorCount = 1 };
                if (descriptors.Length > 0)
                {
                    header.Control = control;
                    header.ControlLength = (nuint)(16 + (descriptors.Length * sizeof(int)));
                    *(Native.ControlHeader*)control = new Native.ControlHeader { Length = header.ControlLength, Level = Native.SolSocket, Kind = Native.ScmRights };
                    for (int i = 0; i < descriptors.Length; i++)
                    {
                        ((int*)(control + 16))[i] = (int)descriptors[i].DangerousGetHandle();
                    }

                    // The kernel wants room for the padded whole.
                    header.ControlLength = (nuint)((16 + (descriptors.Length * sizeof(int)) + 7) & ~7);
                }

                while (true)
                {
                    if (Native.SendMessage(_handle, &header, Native.MessageNoSignal) >= 0)
                    {
                        return true;
                    }

                    if (Marshal.GetLastPInvokeError() != Native.Interrupted)
                    {
                        return false;
                    }
                }
            }
        }
    }

    /// <summary>Waits for the next message.</summary>
    /// <returns>Null when the other side is gone.</returns>
    /// <exception cref="MalformedMessageException">A message was larger than any can be.</exception>
    public ReceivedMessage? Receive()
    {
        byte[] buffer = new byte[MessageWriter.MaxBytes];
        byte* control = stackalloc byte[(ControlBytes + 7) & ~7];
        fixed (byte* start = buffer)
        {
            while (true)
            {
                Native.Vector vector = new() { Start = start, Length = (nuint)buffer.Length };
                Native.MessageHeader header = new() { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (ControlBytes + 7) & ~7 };
                nint length = Native.ReceiveMessage(_handle, &header, Native.MessageCloseOnExec);
                if (length > 0)
                {
                    SafeFileHandle[] descriptors = Descriptors(header, control);
                    if ((header.Flags & (Native.MessageTruncated | Native.ControlTruncated)) != 0)
                    {
                        new ReceivedMessage([], descriptors).Dispose();
                        throw new MalformedMessageException("a message was larger than any can be");
                    }

                    return new ReceivedMessage(buffer[..(int)length], descriptors);
                }

                if (length == 0 || Marshal.GetLastPInvokeError() != Native.Interrupted)
                {
                    return null;
                }
            }
        }
    }

    /// <summary>Waits until something can be received or the other side is gone.</summary>
    /// <returns>False when the time passed first.</returns>
    public bool Wait(TimeSpan timeout)
    {
        Native.PollEntry entry = new() { Descriptor = Descriptor, Events = Native.PollIn };
        return Native.Poll(&entry, 1, (int)timeout.TotalMilliseconds) != 0;
    }

    /// <summary>Ends a wait of <see cref="Receive"/> as if the other side were gone; sending goes on.</summary>
    public void StopReceiving() => _ = Native.Shutdown(_handle, 0 /* SHUT_RD */);

    /// <summary>Who is on the other side, as the kernel says.</summary>
    public (int Process, uint User) Peer()
    {
        Native.PeerCredentials credentials = default;
        uint length = (uint)sizeof(Native.PeerCredentials);
        return Native.GetSocketOption(_handle, Native.SolSocket, Native.SoPeerCredentials, &credentials, &length) == 0
            ? (credentials.Process, credentials.User)
            : throw Failed("the other side of a socket cannot be told");
    }

    public void Dispose()
    {
        lock (_sending)
        {
            _handle.Dispose();
        }
    }

    /// <summary>Listens at a path, for its owner only; a file that is there is replaced.</summary>
    public static SafeFileHandle Listen(string path)
    {
        SafeFileHandle handle = Open();
        File.Delete(path);
        (byte[] address, uint length) = AddressOf(path);
        fixed (byte* start = address)
        {
            if (Native.Bind(handle, start, length) != 0 || Native.Listen(handle, 8) != 0)
            {
                ForebayException error = Failed($"nothing can listen at {path}");
                handle.Dispose();
                throw error;
            }
        }

        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return handle;
    }

    /// <summary>Takes the next connection of a listening socket; null when it went away again.</summary>
    public static MessageSocket? Accept(SafeFileHandle listener)
    {
        int descriptor = Native.Accept(listener, 0, 0, Native.SocketCloseOnExec);
        return descriptor < 0 ? null : Prepare(descriptor);
    }

    /// <summary>Connects to a path.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: nobody listens there.</exception>
    public static MessageSocket Connect(string path)
    {
        SafeFileHandle handle = Open();
        (byte[] address, uint length) = AddressOf(path);
        fixed (byte* start = address)
        {
            if (Native.Connect(handle, start, length) != 0)
            {
                ForebayException error = Failed($"nobody answers at {path}");
                handle.Dispose();
                throw error;
            }
        }

        return new MessageSocket(handle);
    }

    private static SafeFileHandle Open()
    {
        int descriptor = Native.Socket(Native.AddressFamilyUnix, Native.SocketSeqPacket | Native.SocketCloseOnExec, 0);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw Failed("no socket can be made");
    }

    /// <summary><c>struct sockaddr_un</c>: family (2 bytes), path, zero.</summary>
    private static (byte[] Address, uint Length) AddressOf(string path)
    {
        int length = System.Text.Encoding.UTF8.GetByteCount(path);
        if (length > 107)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"{path} is too long for a socket; set FOREBAY_RUNTIME_DIR to a shorter directory.");
        }

        byte[] address = new byte[2 + length + 1];
        address[0] = Native.AddressFamilyUnix;
        System.Text.Encoding.UTF8.GetBytes(path, address.AsSpan(2));
        return (address, (uint)address.Length);
    }

    internal static ForebayException Failed(string what)
        => new(ErrorKind.Unavailable, $"{char.ToUpperInvariant(what[0])}{what[1..]}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");

    private static MessageSocket Prepare(int descriptor)
    {
        MessageSocket socket = new(new SafeFileHandle(descriptor, ownsHandle: true));
        int bytes = MessageWriter.MaxBytes * 2;
        _ = Native.SetSocketOption(socket._handle, Native.SolSocket, Native.SoSendBuffer, &bytes, sizeof(int));
        return socket;
    }

    private static SafeFileHandle[] Descriptors(in Native.MessageHeader header, byte* control)
    {
        var first = (Native.ControlHeader*)control;
        if (header.ControlLength < 16 || first->Level != Native.SolSocket || first->Kind != Native.ScmRights)
        {
            return [];
        }

        SafeFileHandle[] descriptors = new SafeFileHandle[((int)first->Length - 16) / sizeof(int)];
        for (int i = 0; i < descriptors.Length; i++)
        {
            descriptors[i] = new SafeFileHandle(((int*)(control + 16))[i], ownsHandle: true);
        }

        return descriptors;
    }
}
