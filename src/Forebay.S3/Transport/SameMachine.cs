using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Forebay.S3.Transport;

/// <summary>
/// Connections that do not leave the machine. Where the system's congestion control paces by measurements of the path (BBR), it measures a path
/// without a bottleneck and halves them (docs/BENCHMARKS.md, P3): they get Reno, which every kernel has and lets everyone choose (tcp(7)).
/// </summary>
internal static class SameMachine
{
    private const int TcpLevel = 6;
    private const int TcpCongestion = 13;
    private const int MaxNameBytes = 16;

    /// <summary>Whether connections of this socket are paced by measurements; accepted ones inherit that from the one that listens.</summary>
    internal static bool IsPaced(Socket socket) => CongestionControlOf(socket).StartsWith("bbr", StringComparison.Ordinal);

    /// <summary>Ends the pacing of a connection within the machine, and leaves others alone.</summary>
    internal static void Unpace(Socket connection)
    {
        if (!IsWithin(connection))
        {
            return;
        }

        try
        {
            connection.SetRawSocketOption(TcpLevel, TcpCongestion, "reno"u8);
        }
        catch (SocketException)
        {
            // It is slower then, and as good.
        }
    }

    /// <summary>Name of the congestion control of a socket; empty where that cannot be told.</summary>
    internal static string CongestionControlOf(Socket socket)
    {
        Span<byte> name = stackalloc byte[MaxNameBytes];
        try
        {
            return Encoding.ASCII.GetString(name[..socket.GetRawSocketOption(TcpLevel, TcpCongestion, name)]).TrimEnd('\0');
        }
        catch (SocketException)
        {
            return "";
        }
    }

    private static bool IsWithin(Socket connection)
        => connection.RemoteEndPoint is IPEndPoint { Address: var remote } && (IPAddress.IsLoopback(remote) || (connection.LocalEndPoint is IPEndPoint { Address: var local } && local.Equals(remote)));
}
