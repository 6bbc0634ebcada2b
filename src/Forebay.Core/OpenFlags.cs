using System.Runtime.InteropServices;

namespace Forebay.Core;

/// <summary>Flags of open(2) whose numbers differ between architectures.</summary>
public static class OpenFlags
{
    private const int NoFollowOfArm = 0x8000;
    private const int NoFollowOfX64 = 0x20000;

    /// <summary>O_NOFOLLOW: a symbolic link is refused. On ARM the number of x64 means O_LARGEFILE and protects from nothing.</summary>
    public static int NoFollow => RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? NoFollowOfArm : NoFollowOfX64;
}
