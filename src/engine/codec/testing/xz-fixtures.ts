/**
 * Files made by xz 5.4 from the patterns of patterns.ts, in base64; the options it was given stand with each.
 */
export interface XzFixture {
  readonly options: string;
  readonly file: string;
}

/** branches(3000, 1) */
export const x86Crc32: XzFixture = {
  options: '--check=crc32 --x86 --lzma2=dict=64KiB',
  file:
    '/Td6WFoAAAFpIt42AgEEACEBCADSuXTL4Au3B+JdAHSBBb9whDOY0Eb3KjTVMh3YNYpGnb8LC+cyvgMLe4kB8UFMZSH4Rj7fwQZNtQ45dYNGYMXJx/bEgu1a' +
    'iB0LNRO1Ed+XHPHhOudAosxL54ZnlLWvR2r3QV0MRwqcN+Ao6lQ+czmdVUMalkcyotXJkOlezZaMlC+JJ6uEXv846pnziynOcfn9zUFHdBnWERAyTJ2xcCJh' +
    '1E82lzgG5uHIJB26KIbjWODZpGYiC4C/vEYg74pRPOnq8lBGUZFS17M0Og3rxeu76edS3VLguGsKAfOIHZXNOONCT02UivEuVJGhCvy/tFSTsuqHFLy8a1/s' +
    '+0FREylAJZgxtqHS4PbzkIfjDlOylSmdYHPuVXO+JVjKuzEzMM3Hq87Df/YqRXi5XR3v3krhz6MLS4geWVgColg3DAXyvcSkjxYL7/9g+nVmIESZpKMnegTQ' +
    '5pCowM+WSPxqtUwDTNZssNZdo7A1ECncUiqMq3HLEw2mLdBVqay9ha+VJEg5ne5WU4kHBH3r+3ntAMAOOBl2oDCqX5P8iTyxoP1D2giBnlLES4+gCyiP3Cad' +
    '5katgdUEF4FQSgzuCZTkkMuvkR4akpDXWqT3fP2nQo8p7wxoTIdQZIT40G1XkCFgu9RycZj5n/y/g7XtTPmTUkJZY9mwDR3VDp1cCYG55lwUKGEo+rCL11EA' +
    'TXgtQVnqIZm0TuhTYP5s/zNjl8Ym43HVnYb3q/apXebSfzI+/j3p6EgRwA051D0aPQJTuTDN7w9QtdHP9i/tzLkSVIJqSHIDVFBEVZf/HdVmJzMJ1rP6HGEH' +
    'Z8KaHRdLv6sNO8aH8AqCoCZpKdWmlUj07ShgMGVyPpnYS+mab4dI8RcTIDb5dUj9rlGNijWcZf7KW5FNoMUH4yPvXyzzPqJuSe6j4XfOZRsfN6m7AEtrGjf4' +
    'mgCvB9d30dAx95Vv00snGR7HdLeYFy1Q5A19Ksb2PIsn0bUdmYlYl12cpnMXdyM/9kd1Rosc8+U6Ejpv9yPcdH0lo3/02UdpTJEgilWu3JphU7WstmDRrqTo' +
    'oFx5r9gBrG/CFpof25xm0ochIdxya/DNLF09Xm/8IYTzVdpo/NxjWpcv6Dic/IZvTEOgD4JGt+ygFiTcf40AcXuwMQ+M4AT0Vq5BfNMuAofLHaylttoBJT8A' +
    'j7HW3kalgAuv6pxU10d6B+ySgjqlcPFc0qmYM8MjO8HdyprREIselxehjfGtXgFcsIYQu1BjaH2WIyziZ8QTT1lo5tyc559Jum4vnUHCXtCxtzfW+ezxv+mu' +
    'sn9qQKi1V32stXTMyoYyUwZuPU1hHqi47FRkdAkYu9vaUb4Ud21vsZoocnoqB7eS8xN87sXTssMJRfmO5Z0ALqecqWljq3qK9GLSVXbcXXs2T7GzIY5v/QTl' +
    'hxmjn6eKQhx5IvIxFJGatJ6ZSElkpwEFw0XSjrMbbbjQsu8nT42WtO+ez/0boWeJiJHtYvpMscHEoLyoROGaDPHgDo88xuQo7UoW0i1WvOh8selGJBgGE3Gl' +
    't1bMA/JN2XCST4byiap7uPQkITHENytB+0IKfLXYGIY19NzpyhSjyK9Hyme4W9mm8hp9AF+wYQ6o126irBQsdKRUnwmw6bXDq8L9ySh4dJctJ2U4kYh0OpzW' +
    '6aeAJCm0dbeP0FWQOcjaEhfDZ68HnUeAN9bFf5/laDOrsDCGK5kl7Rv+Nmk98VbHo0J7MGw115OoULY4QSJVP+XkaS7N6ZjOhghejpg5QnsjplYcGzaKNmil' +
    'VXU+g57FJHYy4NXedGMbkMAsE5VaCsRvT7221bp7efXAFE6bx6xzxzAKnXGBPLWVzPXlUvQ924NFk8pXX8HLEt04crsBeqafjU1//ebf8rxgIqAPBDxa6A+2' +
    'aLgif9+adUbaJBpjedwi4u136xJF4oLQugfFoz3OcLvhywzWeL8zYjXndQ3fheHNZZJpeaRsptQPrugCC6WQo65sjAGHz3yKfeRNVboLu7M+ewKt56Xojb34' +
    'YKsWJwcHc6B+jmi7Q6Ng5P4NID35VlXiN4xNLiab70V0QDIaCTtG2XpidGX/qEeJs23F3qjizieHeuzbZg3zRBiFmzn1pmRr7vs6dTyw8l/MZpsLukl1g8mp' +
    'pkENWuVDgSAn4AEtpM4RrL6hgrNXXOQCoWGWq4xxIsbNvIpUIwgpqeFiaqYfDN4r3k667lVHiqYceAArhGoTlUSoXLZLSBQNHWUl1F9vu/m3+glVxlXkocJ2' +
    'jzsnN3r3WN6Po8XDmy4v2HDWmZzf8tQxlq5yPQ+zpOMvfWJGKwXiV58HJJqOLBl8r7YVzxiixx9ca2U3d0iLOaM4PUj1VzOA4hib3kHb/n1JCEVpN17LQ/LM' +
    'bgyphUACLxCEQMmV/zpKV4qhNtWRwMBO/2PJd/QbsQKIJe/XnU9xNyNDxNsrHUvDfg6Z2tM9k0tVeKzDkep4er3qNvKUOzjbnGYOuy1/BdFeQqOphJTWqQlV' +
    'zCbd9rqmIR7avsNtMGBv5EftHq2HJUDgO2kQPnDLh2TxBqOkhbcjL2YeFYCSq1vOpxK4aP+YIpYM8T9GnAWyJ9qiAqrMUs8q/PRaaoclpc4zXy2bXghuMaN0' +
    '0sBPrt8nAC/osf7muMW/3/Y3qiSRkqUpHhxRQH6lH9mBcQJGwj8ly78xmlyGhCV4RrAVSRgsQosw+C7HrVZkxjhhvAAAAAAAP07mvgAB+g+4FwAA86qjND4w' +
    'DYsCAAAAAAFZWg==',
};

/** branches(700, 2) */
export const x86Start: XzFixture = {
  options: '--check=crc64 --x86=start=4096 --lzma2=lc=0,lp=4,pb=0',
  file:
    '/Td6WFoAAATm1rRGAwEEBAAQAAAhARYAXLHI++ACuwIQJAAAQb0JY6J4WKkoPzsJRgfj16YSQi+TrwQDXN44bB4VXy+rip87PgnW2QeGaIWK9hEuI0dffexK' +
    'xDSkj789+nZ821FdRrDzOkbPIz8JqzV0mlUqIzYhW5VMAo242PbZW3hpLT2KUqQQp+qHh/CVWs+//LhW3TOTer/bI4Gj9CdSDFct3Q6X/ThOP8REngTo2Kqy' +
    'GdvDNz2L7UuK86qzKWqyOkh6oHepSXaIN4G7LYaxIyBfdUtzuWQ4G8X1Np1s3FRbaT++xfd99B5w3L0uGZDx/Ed09N2RvYOuNvZaKY88kYuyzjegTA8Za+5D' +
    'wKqDyxBCJs+W1/rhyqSwYxDxRxEmbeT4cyUj8JqozQyTIhFTKjAMBKgylCnoraJtULxaEhhj6XLl9gqiYt6hPEQMPebOfM8RmjxBFq+GeBrtWlfwIhb+UQy0' +
    'anTA01BU+SGZbLZCpTKMz86zL0NnZfEvTKQf1R9TWCVhdAvjifDoe4+U3TMyFJH3l63tV/hk2a97iphSY4LyMk96H1LSmMiny3IUajtlAimZwIpn1811vQR1' +
    'bNTYqLPV8gaZHBU7dVxHmJfHYavRIvh2VME+G6Afwin/SBjf2UbzDO5CUFQ2KEpqoXGyFpJyul0SbaVydAJp4I6T190jcK24HxDgHjRjf/371DcmgXECsB7B' +
    'clG26uFq0HOEqjgTGiamfm54LX1V0gAAIefcDS2iUHsAAbAEvAUAAKFScH2xxGf7AgAAAAAEWVo=',
};

/** repetitions(400_000, 3) */
export const plainCrc64: XzFixture = {
  options: '--check=crc64 --lzma2=preset=9,lc=3,lp=1,pb=2',
  file:
    '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM5hp/DixmACOSVW8yKNEBu+f51BNwogNtgvpKt04LJ13Zpw6JdroPZOcE5EhX9oMSdhYYlOs2TuqrxSGuO2kLkjFh' +
    'YlJHjZY7mvo3fDlC5Ua8UxDNQhKJNv8VIfnrL5/3MN76NQmwzNwQoo6IQwBXME6AHaO5PguIxza6rt4XuxaWacYNw4VcU9oGfEW9hiPDqtLgXtOUsW8dtkVd' +
    'IOWb4rvdiAxG++NjHdPwe96hTWbfWgSDx0rMveAq1ZCR6p/ohGV+hRMkt6efshz5CmR9Ecbm2D/ya8m064AxeITeJVsfE17FzUrJoW0izns7NvgKWa2DkmyM' +
    '0c4R2Q9kgVzz+lbA1HioO0uYWmYHu3X7hsFrnfdaJTD6o3Ek2Ah0TLYkSHfxXoUFhMZmRzdac9vxg7MpF6EMiHiWj8y/LoviF9XXwL5ixXkhHK3AOyxSKXBz' +
    'wv3yXnMICkVQA8ZCFUpDyLNaSN3s2lIIHLlTwsK9F0cwMlf41xS7vQu89HZOTAk1QDlCmckBqlnajAZCRi/JHSntpHQzPbSUZf+bYnHlBSW9OzFaWqNfyMR+' +
    'Vwjpc8IrLyGHsmYaR/UX1s1FJ91CHavay5ME0cOc3LxDK85FD9JrgIJTm33AZyaLBHwAAZm8Ght2/F+ei2iCjoPvRhkSlGSp7SnE+FOytKMZ3ZZ1AJP0f28a' +
    'u6E6OihbqcAWNSxyzoiQIJ1ymrwM4tvnhIEaEUl40WrhSnKzwOx05io+21tTByhpnpYG4W9ixJ3y2vSyWmuPLxNnw5agFIU2x8pX9pq8342+OL0KbsBwwnww' +
    'BYVjioz0hT3G1jWg5M4EPKyPP0SW56gbX8OpabtC5phh7FllC20u5RR/arHh+iq8B25UC06ub0x/p5Edz1bHzz/J/hUzYyoiOTRSCac8omqQFcGEavBgbk9J' +
    'tZKHTrgEcEQw4rOIB9/0w+vnVnAuCmrE45Xctw/5z9jFhqtdlULWxcazxB044SVD0ns/f4pgUpVfQDEDMUYsHwNVJCxWS1Z1G+HXwa5uEL0tiIG6r0GcOJXE' +
    'irF6Q1GTZFMZC7bi/I/grLAZHqCkbz6V6C/bwtqIQV9izfDB4EoOhChPozjuvGOaMWk00IQF/bEIbhkNthF9mvEWL+C9Kr8EuhfiIBe3QQFW/1NNmYIf1Fbu' +
    'uUNTe6aL/UJ0tDCkvVOITsA12TcFgp1VSepjisRaWWREbtTi4lRSf/pCUTlH3yEdov7BwVrtZw0YhZNV1cb0IN1FA86XGJC/9Bn8+khAHy18E/v8uUVZ/hkV' +
    'PaOmP+/hRZ5zK3pTom67KgHxmz8RFIh27gDMviH8DnOE6cwOhdyYIN2JJ1ObarW0xTad3EQcU9Z6THvXNMrlWvXCKPjd0GeGRvbxaoxfkDcC6SibfKDT6lo7' +
    'bXnwCdkutdTklVcyBBGKDe+tbFJEZKPIpIcXypFq+UvTvt15owxVqkEfB+phIiylDJT5kmKu9a/xqUBEyfK1g9lZxqnvCvv5AE3CmiXOFzFoN7k/eOI8VWbW' +
    '5034FzSDO4b1/eqVyNeqSJoGJGTdLXJ5GpalYqrqMyscH1WQPVekxOHU3FfWZ5eQMu3PQd552+Tff73oPi/fKDREuxt5t2RfijMvv4E2T7+HeIqtzzpvrohS' +
    'AD8Ht0unY7aru8Hxo9Z82T8F3QfecJZHgEA67DFK9l/ohLXWtp5PPObS9AXmjta+poen8Zup71siuZPLcHv1yx6+J16SW7MCnGbGwGBFmtD33W7TLFEqmH+K' +
    'zqSOEvLdJf7A1qiWEIPrRGjW2ariT1ylxY2lqFKTX88Nvf/Y+/NTcIGTPn5iqqSS4xthP7oQRIjHOLAV/Kk6dGFcrnXRrf7CM3rxv6LM3age9gxwCScTK5gY' +
    'D94VwAej6XZQnpUsYNNTrwyYrpRLeV421LjMr/nlOcPdCuSimogYqG+qTC1Khb/Y++Kbatbg555vR4YAzkiAUwQhXdM2SoaA+qgqoTOkI5+w2J4plG8W6CwM' +
    'iNu4Ty5NwQ0HxhfVu3LEDYXqpWEWpkBTYUIrM+taZIxvzxqnVE7/Yac3/6txrHs3GXch/4TYa1pzicP0ZSAaHqCAYW7Mjux/3E9kqAlx6yKjIMi1b3FHCKKb' +
    '9eQK4PhmA+RMcQdwNb3uv0ao/rLjqWnTP/JZXoUdppbFoAGzeZu3NBmzzWl4kQJGsjt5V6sj++rQ7Fo/WcqScXK5FKde2AHZNiZrTh3aHw2kFWf9cqQkzo1k' +
    'IHCLecQ1X8Is6XkrWlc3csTD2vMXODn6BpnUsgzuYp+eSqvPXDCOHlyv8llLRTdUUY1CfJMQCd3vLyceqTf+rwnAioAhP55gaK0PJqbOuOyx+VHXb5CgNqvh' +
    'bEOgliF2xIZ5SGVxszwS9TbWjBwUvg7DgDMCCcj31VBrWhAxYEf4/S3jxb3fTMSS38vuWpkmMjTLJMuZbHuYQNJizUr/UtPJEjYTyCmyfT9ZZ5dwtJcLkphw' +
    'e9bPR+nuPQca1/bTba75ujp1qr7s6NI/87E/vGAjrL0sjvwua9QSkOfd15udNYl2mrZMM37nnHsSdWKYEmuKVqe7mreUtVcA/NxXZZ4wa2DSr3cf8e5uCOD0' +
    'Yvqxba9vCT0O/M9MvHbE05QORxfFZJdVZru9SYdgPlIvTyJ206sj2RZQZekcS7d4z3OhkhDxj1bYuNMUxKqxiDW0E5HUpoXWqZLpV9gvcXYDj68pJqBM34Un' +
    'G8KVMNPdjycNWOsWlvScVNUrhdLvx+IdM1jA+UgKNHnQvgRBQV1dW0voHwHWggngcW9qsmHwzNwzaaZ5k4+4W9ov4v1rFAlBWu+a16af22d2X8jnbl34SKbT' +
    'LDsDbq3a3wJOrretyIZzr8EGW2azA3MEkm2MPNfxg4YnG22AJ4dHkSqubWiSqJui7mBBZbE9sy6mwxH7D83Q1XJKKp83hXwgzBtcdCVzekp7Inb6tbXBM+Ms' +
    'aeq7EkQZn98Ay7Ay0+Qazx+0UG5C7Imx7gpfdcxx3N/QQ5YWQFMusLV3+rECNahAQ16k9jCbmea0E+qVnzTja2vL1G4xrjdJu2jRHmrWHuxehLS/ubbfxSXR' +
    '3cwH+Vp/lUO5HeduMqm2QFF5D7wrVObfiz5163pokcrSSTjYMUHnn5kTd7ARbdhrS3KHD9Lki9O+N27jKS3oseNL1p3ORFtGRjsZNDFDDisE8slkgWCQAB54' +
    '33Ho4fDPyqea5/OtDJGzxCoyuTs5r8J7XS8HFOECIqMN/D+ucIt6sff2LM85Z5tFMAjnd8erI2RVrgK8nzrjLEi6LxpD63n4pyz6E0KYmY3MIR13KRQhzeMX' +
    'WvD1tKMke5//bUpQT+iYEcuXtGmnFq6NOXxtFOmH2VDUWCDKHLvXpkG8FWoUsZ0uAv2XXDkb5pXjhcp1oEKIFso18T6WQJGCu0XPcEEf8FaY2wVkWFpNf6Vg' +
    'yHNJMCTe6VnxcAk1L8MdKJQb47Kt9zmAsC+O2jw+29nPqqjXguxoEfzepeQ8a+x0Yi63zz7pU0W5y+uXR4h6vaQtOFh41LggYFxietm0MJPehi/yJWSZY+6F' +
    '9J0V4STQLdqCgSIzNJeCirRBH7WMIbaMmxyw4/JxHuZEkJ4xSK1UcMk0ZtTy0n5p2c9ydBdB1Ms7hOsAZHwAgC3Nr+eiwPNM8662m1ZKKt34rEbhkQWv+Sk7' +
    'LyZmgOZFR1z9O6BjwlLxHgeskZE1X5TXkukCkIWnsSl8HnKM981vJI3+m2o2jUkanHd2I4kVtbDokb2J1ggCCtMe6eKnv4FE3YZY1zyMzZo71BDJFrhWNu84' +
    'woXNyjWeD7lGI5uud6f70rOGF2u0ZevfI+SZNeNQCmS//jRjjXAparF41Fo98GnX1kmOd8tXz6RNyUbMjVJ0PbDMbVAfZAeHDM/45n8zXJZAu4ANJb+3MqBr' +
    '56gEZqD1qhGeGZ/vCfFOOXovu6P89qL4RPxDZT62p1Nr9tUlXlTAVp+omdCev7ItJHQRvtuLCKPVCLjE9nD0kG4FptqWT5RB3MVajReojd934Uou/9VONksZ' +
    'aYuO1XyIJ5S+hDoJNdwATFmhxpbRV31zDZlr72vQkeU5+AL8qRVeNGuaVj2+xFmUR/JlYCpzSW3uIu3JNSpS3c1n81Ok19Y6h4HVjXb0X7TmHHJkUIwTXZ5m' +
    'jg5ylQztTD5HsrAj4UcWWk1qtP6Auqu/kQGIHDAJoY31iKBIS0u6tyii+6qdgryqEGul1TQC8UrccjVsv0a2NQbvxB/9Tm6H/8JWflDKgZoAE1ecveiOLLa4' +
    'w4Y8xug2A1hH7TiDbCG67Kf/mVIRM+PuEQU9abF9+SWfXacE+7q+E13+cvf6kvdHxn6a4ToRumuJtaVcy+paFzO4raJZjXbxk7T8gs9GnJhT9S+DBmtO3FrG' +
    '4dluN+yR5iw4i9TxUesezZgxYF+MtqxD/HWcIBF9u9qWEbsYII1/yHhGanAuObsnzAnSKg9pJyE0eyDBFpCr398BQGwxNk68W06fsqRWUHpZ0HKeQ42f6enC' +
    'xUA8QsT3kVDKWxDhOV0bptA35Y6ymrn0L+UHm00jdulyrQIIKYpwqD4cpAk2M0rNRmRhn4VjyhL4UF7d+O6D1QPaVTxxudUfidQ6ts3qrFt6HQrYpJ5J99kG' +
    'MxD/5OB9oyJS2A8Yn7tRiugRuOqPjHK1pwCgOJaCw42MqEHd+cP88F0JWC//70X0bndEzsLZv1xVqMcnlSoEkL8ADrt2Cii66zvuMK5DXLem/l5/0B4j1n/m' +
    '+WDyKbYsDD82l5U25WkagHPQ+xZswO30N0ezqC0nHylkppv/jTA1NDd9lW9WohlPfjEtZTKwhGYfVTAAdlUjtX7QaFcAAcgcgLUYAB4gKTexxGf7AgAAAAAE' +
    'WVo=',
};

/** repetitions(20_000, 4) */
export const noCheck: XzFixture = {
  options: '--check=none --lzma2=lc=4,lp=0,pb=4',
  file:
    '/Td6WFoAAAD/EtlBAgAhARYAAAB0L+Wj4E4fASe4AAIa3K1rs9QRXqn5rSAu9HbzzQ4N21iFzi24ZR9BMkxgtBWeihNpn5oX+h03X3tO8dGbTTaWKAW8/DQG' +
    'LGREq98J56UVlw6X1JMbAb9IQAikllxzwGjE3DDUwwZD2yf39TxVxS7blWXA7qRVwyxuPLwcmWcDi87/71dBJz4F9oSEEG8+8ipofE0mseu9d8fMRZUbOWZj' +
    'BD3MEPk5spMiS/csKOcG4EBFE8q+qtvxdPL8ztyo5MX65WhP4aS7gU3wiesjOovQl1TdBZ0dtOy2oW3C4goCv/bkBgXFfm1Zw1fJGkvhPjzTpFMUjasxdXAe' +
    'LjuhLhtSvmOs47FYhFF/ubOo2hPSN1eGUscCeB9B+yXnrkUusS/0OWpncDmIKh7GYoaVyUTSZKsAAAABuwKgnAEA2w3haagACvwCAAAAAABZWg==',
};

/** repetitions(1_000, 5) */
export const sha256: XzFixture = {
  options: '--check=sha256 --lzma2=preset=0',
  file:
    '/Td6WFoAAArh+wyhAgAhAQwAAACPmEGc4APnABpdAGCQ6uwRiN589Y9MiVf7bnTi5QFCuUvqO4AAAAAAeRDpiYhYp3z2Czp0M4NJjuyKGb4A6WSHnZ1TQNqa' +
    '9zsAAU7oBwAAAGYLdHO26d8cAgAAAAAKWVo=',
};

/** noise(900, 6) */
export const stored: XzFixture = {
  options: '--check=crc32 --lzma2=preset=6',
  file:
    '/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQODxgaGCi5EoOWKfjbTIlCwhOXSrTIDybiXbmwxsyGfYoOrWT+iMwrbgJfwD6tIZHaCLSNC7Aa6YPl2OSzTLr3f' +
    'qkULxCiax+SNDgy0OMnqEhS7TLUO19u6ZWhpXmS6xLMAUJDYr3q0azyiV6kJKitpHfL1T64s0qdR6uco9y4fD57yUtKKMIUhbMFfr01GGEP9nCyA3hXssiIZ' +
    '+WMZjTEeernlWU9FU9uhAcHMj1mB+ChWdf97uJdx+MIZ0uq2f61OrSwpOUlnnsXtcPoOFJyud88cGkmknAuuFISEm5rSXtLty83S1ZvkFCmus5/1uAefVrzf' +
    'xgGasrC+wHYbKiO+LQGVzs0hzrbrNDrcD/k0BZDODJHxylxszuzn49+aaIuO4mbyS1y1sIy2XMDY4Z9AonatuHubCe9SB4fkk2Mrn9EQQBPL9BTEF16z2JsS' +
    '9phkKCaEoabcBAUfM1F8I9vXeOKYAqwObMwzB0tWzGnbb3Hk6KyxXTDYI8w6M78eoDjr48DikKMd4IBzcyf+KQEV59ncshrBw8pt1iRki85Cef30OdXXuxxc' +
    'glqHlV+8CAe9LyWMP/rLyzCxrcs6dRbw9zL1Lz65rbE9vFXHsNxcj06+r2YZ/iT+SpqM3xsMQ9SlHaRFitsIYdsv8lOR0SGnygX/vT7CjkCzkA2ZXTXCl7/T' +
    'bIDEyjXcXboCdzRzIGWwt951LtEEk8P4oIS/X1TRlohczGPKF2phwR1F2/4ikXjtn1NWblGk3iGJXamjsKnqs3O3KCvqUaTbh68dO+6HZa5KB1dfVGaz7kuw' +
    'QKTuIlmWjhzpHrjiJzIgglQVRJXgJTc7e5uU3kAgCa1z9fj4y1l/gmG7g68O1LC4O4nwTSplPLY3a7gxo0wt1MS5DMaST+VC3zmODdq/oK47ZTeVGuKxK9to' +
    'Ov2M38q9KQt3zsp+Nm18DkotQsjk05PbEp4RskzCoro/VlUl8EbSD93E4JG37G5Gz3bFr8UytG3V5/CMU0eTteoZIR5PyPe3kwQM7a7cq/Yb+7Z3UqcUJ4hv' +
    'UeY65s7qi28Oty0uLan0TpkJLq21gZF7DDBMskRN8HBpVfmJnrJlyd6nHg6NJg+ssR6lK6MfKWwZGtN5NYuBtySEVPhxrj30hE521oCqxd1DfItG+hvquhHG' +
    'IcXitAH6H17OYfynCD0ZAMwF+lXHcD7+EYVLACt8Yb8AAZgHhAcAAAqrNOc+MA2LAgAAAAABWVo=',
};

/** repetitions(30_000, 7) */
export const blocks: XzFixture = {
  options: '--check=crc32 --block-size=7000 --x86 --lzma2=preset=6',
  file:
    '/Td6WFoAAAFpIt42AgEEACEBFgANhjUf4BtXAI5dACGRU4ai6lUxG7tZnB8asb8bCSZVrrmg0hnGegWFY053LqvCxfYUA7cIOmQRVcn0CZxXQR0tKfXXmKaa' +
    'kcwN8VA7SpP9ExBOtNIguofBRFQbOzGB+nWpcDCE1WsKpEHEINgLN6FhMLGFdC2FjBaK35BfBFsOlgsSEqKO5nSA98I/EmoWKwJHrFKAGp+0PA8AAAALgaXc' +
    'AgEEACEBFgANhjUf4BtXAHddABPv+7/+o7BR0cn2zjhZ+3Ry7MyGRZVIxdMtOUdyMMc4siP6EBWMQGLutKrc5O5yqlA5UP+NRUmoABAmjqqri1KOFGTtR4in' +
    'Cvug4HO9AIzelBdC5jZWDvP1EtQYwh50+CMHEn1M7gbB+3ojpdQVirLw/WsPx15BAAAJamWUAgEEACEBFgANhjUf4BtXAFxdAF1pkSAKZJg7W1rl+x5RahPq' +
    'AWukr2hmBWYsyItq5Op2Hc4pnwPXEoGP+p4hX0bSsdjIpkdDn9NSi5U0fsJnnBHRq9spXXM2phcK/15LiKLDonMasSKjN4oL2TEAAM7tyWkCAQQAIQEWAA2G' +
    'NR/gG1cAS10AKGxZL0QIQMLdH1LDChg5y8vsoF6Fx+l2QwfJ+cTtWkundnsbdhi/ZoGxX5gyGwamvxHwHQirWb4yR3cumR6wO8crOCI4nWenpoMAAACC9yFe' +
    'AgEEACEBFgANhjUf4AfPACBdABwYzufWIc6MHeCEclxaOVhoS62iINHZnELGlQf1zBgAADyOhVEABaYB2DaPAdg2dNg2Y9g2ONAPAPRQX5aGAAiWBQAAAAAB' +
    'WVo=',
};

/** new Uint8Array(0) */
export const empty: XzFixture = {
  options: '--check=crc64',
  file: '/Td6WFoAAATm1rRGAAAAABzfRCEftvN9AQAAAAAEWVo=',
};

/** noise(40, 8) */
export const delta: XzFixture = {
  options: '--check=crc32 --delta=dist=2 --lzma2=preset=6',
  file:
    '/Td6WFoAAAFpIt42AgEDAQEhARYcR3hWAQAnCAghcmOScMv2Dq6qJMMBbS9mFaaOOAYgifLIGA+ILjDtGkx8zv6OaQDKIS3cAAE8KC5kwGaQQpkNAQAAAAAB' +
    'WVo=',
};
