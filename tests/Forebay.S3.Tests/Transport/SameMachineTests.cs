using System.Net;
using System.Net.Sockets;
using Forebay.S3.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;

namespace Forebay.S3.Tests.Transport;

/// <summary>The congestion control of connections that the endpoint accepts.</summary>
public sealed class SameMachineTests
{
    private const string Available = "/proc/sys/net/ipv4/tcp_available_congestion_control";

    [PacedTheory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("::", "127.0.0.1")]
    [InlineData("::1", "::1")]
    public async Task AConnectionFromTheSameMachineIsNotPaced(string listening, string reached)
        => Assert.Equal("reno", await AcceptedAsync("bbr", listening, reached));

    [Fact]
    public async Task AConnectionThatIsNotPacedKeepsWhatTheSystemSays()
    {
        string usual = CanChoose("cubic") ? "cubic" : "reno";
        Assert.Equal(usual, await AcceptedAsync(usual, "127.0.0.1", "127.0.0.1"));
    }

    [Fact]
    public void AnotherConnectionIsLeftAlone()
    {
        using Socket unconnected = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        string before = SameMachine.CongestionControlOf(unconnected);
        Assert.NotEqual("", before);
        if (before == "reno")
        {
            before = "cubic";
            Choose(unconnected, before);
        }

        SameMachine.Unpace(unconnected);

        Assert.Equal(before, SameMachine.CongestionControlOf(unconnected));
    }

    private static async Task<string> AcceptedAsync(string congestionControl, string listening, string reached)
    {
        IPAddress address = IPAddress.Parse(listening);
        Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (address.Equals(IPAddress.IPv6Any))
        {
            socket.DualMode = true;
        }

        Choose(socket, congestionControl);
        socket.Bind(new IPEndPoint(address, 0));
        socket.Listen(1);
        await using SocketListener listener = new(socket, noDelay: true, NullLogger.Instance);
        using TcpClient client = new();
        await client.ConnectAsync(IPAddress.Parse(reached), ((IPEndPoint)listener.EndPoint).Port);
        await using ConnectionContext accepted = (await listener.AcceptAsync())!;
        using Socket view = new(new SafeSocketHandle(((SocketConnection)accepted).Handle.DangerousGetHandle(), ownsHandle: false));
        return SameMachine.CongestionControlOf(view);
    }

    private static void Choose(Socket socket, string congestionControl) => socket.SetRawSocketOption(6, 13, System.Text.Encoding.ASCII.GetBytes(congestionControl));

    private static bool CanChoose(string congestionControl) => File.ReadAllText(Available).Split().Contains(congestionControl);

    /// <summary>Needs a kernel that has BBR.</summary>
    private sealed class PacedTheoryAttribute : TheoryAttribute
    {
        public PacedTheoryAttribute()
        {
            if (!CanChoose("bbr"))
            {
                Skip = $"the kernel offers no BBR: {Available} does not name it (modprobe tcp_bbr)";
            }
        }
    }
}
